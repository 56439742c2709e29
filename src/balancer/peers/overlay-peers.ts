import { eachLimited } from '../../base/async.ts';
import { Bell } from '../../base/bell.ts';
import type { Clock } from '../../base/clock.ts';
import { messageOf, SwarmError } from '../../base/errors.ts';
import type { NetnsFile } from '../namespaces.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { LateBell } from '../late-bell.ts';
import type { Problems } from '../problems.ts';
import type { Changes, KnownState } from '../state.ts';
import { hasBridge } from './has-bridge.ts';
import { HostAddresses } from './host-addresses.ts';
import { NetworkPeers } from './network-peers.ts';
import { overlayFiles } from './overlay-files.ts';

/** What changed is left to the engine for that long: most of the time it has heard of it by then. */
const SETTLE_MS = 300;
/** Between two looks at one network, however much changes there. */
const AGAIN_MS = 1_000;
const TURN_MS = 1_000;
/** Networks that are looked at in one turn: each within a few turns, and never many at once. */
const TURNS = 3;
const MOST_IN_A_TURN = 4;
/** After a change engines go on adding and taking away: its network is looked at in every turn meanwhile. */
const LIVELY_MS = 15_000;
const AT_ONCE = 2;

export interface OverlayPeersParts {
  readonly nodeId: string;
  readonly state: KnownState;
  readonly kernel: Kernel;
  readonly list: () => Promise<readonly NetnsFile[]>;
  readonly problems: Problems;
  readonly clock: Clock;
}

interface Watched {
  readonly peers: NetworkPeers;
  lookedMs: number;
}

/**
 * Sees to it that this host's overlays know the tasks of other hosts that connections are sent to. Engines tell one another
 * by gossip, which after a loss of the network may take a minute to recover, while the managers know more.
 */
export class OverlayPeers {
  readonly #parts: OverlayPeersParts;
  readonly #hosts = new HostAddresses();
  readonly #bell = new Bell();
  readonly #due = new Set<string>();
  /** Networks that have just changed, and until when they are looked at more often. */
  readonly #lively = new Map<string, number>();
  /** By network. */
  readonly #watched = new Map<string, Watched>();

  constructor(parts: OverlayPeersParts) {
    this.#parts = parts;
  }

  /** What is in force has changed. */
  note({ services, networks }: Changes): void {
    const changed = new Set([...services].map((key) => key.split('/')[0] ?? ''));
    if (networks)
      for (const id of [...this.#watched.keys(), ...this.#parts.state.networks.keys()]) changed.add(id);
    for (const id of changed) {
      this.#watched.get(id)?.peers.changed();
      this.#due.add(id);
      this.#lively.set(id, this.#parts.clock.nowMs() + LIVELY_MS);
    }
    if (changed.size > 0) this.#bell.ring();
  }

  /** Whether an address on another host is known here by the managers' word alone, as the engine has not heard of it. */
  isUnheard(networkId: string, address: string): boolean {
    return this.#watched.get(networkId)?.peers.unheard.has(address) ?? false;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { kernel, problems } = this.#parts;
    if (await hasBridge(kernel)) {
      await Promise.all([this.#takeTurns(signal), this.#work(signal)]);
      return;
    }
    problems.set(
      'peers',
      'tasks on other hosts may not be reached for a minute after the network between the hosts was lost: ' +
        'bridge (Debian package iproute2) is missing',
    );
  }

  async #takeTurns(signal: AbortSignal): Promise<void> {
    let next = 0;
    for (;;) {
      await this.#parts.clock.pause(TURN_MS, signal);
      if (signal.aborted) return;
      const ids = [...this.#parts.state.networks.keys()];
      const count = Math.min(MOST_IN_A_TURN, Math.ceil(ids.length / TURNS));
      for (let at = 0; at < count; at++) this.#due.add(ids[(next + at) % ids.length] ?? '');
      next = ids.length === 0 ? 0 : (next + count) % ids.length;
      for (const id of this.#livelyNow().slice(0, MOST_IN_A_TURN)) this.#due.add(id);
      if (this.#due.size > 0) this.#bell.ring();
    }
  }

  #livelyNow(): string[] {
    const nowMs = this.#parts.clock.nowMs();
    for (const [id, untilMs] of this.#lively)
      if (untilMs < nowMs || !this.#parts.state.networks.has(id)) this.#lively.delete(id);
    return [...this.#lively.keys()];
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { clock, list } = this.#parts;
    const late = new LateBell(this.#bell, clock);
    while (await this.#bell.heard(signal)) {
      await clock.pause(SETTLE_MS, signal);
      if (signal.aborted) return;
      const due = [...this.#due].filter((id) => this.#waitMs(id) <= 0);
      for (const id of due) this.#due.delete(id);
      // A client's first packets are lost as long as nobody knows the way.
      const waits = [...this.#due].map((id) => this.#waitMs(id));
      if (waits.length > 0) late.ringIn(Math.max(0, Math.min(...waits) - SETTLE_MS), signal);
      const files = due.length === 0 ? [] : await list().catch(() => []);
      await eachLimited(due, AT_ONCE, (id) => this.#look(id, files));
    }
  }

  /** Until it may be looked at again; 0 and less: now. */
  #waitMs(networkId: string): number {
    const { lookedMs } = this.#watched.get(networkId) ?? { lookedMs: -Infinity };
    return lookedMs + AGAIN_MS - this.#parts.clock.nowMs();
  }

  /** One network, which the engine may not have on this host. What is encrypted is the engines' alone: they have the keys. */
  async #look(id: string, files: readonly NetnsFile[]): Promise<void> {
    const { state, problems, clock } = this.#parts;
    const network = state.networks.get(id);
    const name = `peers/${id}`;
    if (!network || network.encrypted) {
      this.#watched.delete(id);
      return problems.clear(name);
    }
    const watched = this.#watch(id);
    try {
      await watched.peers.look(network, () => state.servicesOn(id), overlayFiles(files, id));
      problems.clear(name);
    } catch (error) {
      if (error instanceof SwarmError && error.code === 'not-found') return;
      const words = `tasks on other hosts may not be reached on network ${network.name}: ${messageOf(error)}`;
      problems.set(name, words);
    } finally {
      watched.lookedMs = clock.nowMs();
    }
  }

  #watch(id: string): Watched {
    const { nodeId, kernel } = this.#parts;
    const known = this.#watched.get(id);
    if (known) return known;
    const made = { peers: new NetworkPeers({ nodeId, kernel, hosts: this.#hosts }), lookedMs: -Infinity };
    this.#watched.set(id, made);
    return made;
  }
}

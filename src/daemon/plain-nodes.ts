import { eachLimited } from '../base/async.ts';
import type { Times } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { sameValue } from '../base/same-value.ts';
import type { Balancing, MeshKnowledge, TakenPort } from '../control/index.ts';
import type { BalancerMode, BalancerReport, MeshPortRef, Node } from '../model/index.ts';
import type { Store, StoreEvent } from '../store/index.ts';
import { answeringPorts, probeableNodes } from './probe-choice.ts';
import type { Probe, ProbeResult } from './tcp-probe.ts';

export interface PlainNodesOptions {
  readonly store: Pick<Store, 'view' | 'watch'>;
  /** This host's node, and the address by which others know it. */
  readonly own: { readonly nodeId: string; readonly host: string };
  /** What a node's balancer said last; undefined where none follows. */
  readonly reportOf: (nodeId: string) => BalancerReport | undefined;
  /** Whether the kernel of this host has IPVS. */
  readonly hasIpvs: () => boolean;
  /** Who listens on a port of this host, in words; undefined for nobody. */
  readonly ownerOf: (port: MeshPortRef) => Promise<string | undefined>;
  readonly probe: Probe;
  readonly times: Times;
  readonly log: Logger;
}

/** What is known of a node since its engine came. */
interface Known {
  readonly sinceMs: number;
  /** What its balancer said, when there was one, or what a probe showed. */
  mode?: BalancerMode;
  probedMs?: number;
  /** Probes in a row that went wrong. */
  failures: number;
}

const LOOK_MS = 5_000;
/** A node that has just come may have a balancer that is still to be heard of. */
const NEW_MS = 3_000;
const SETTLING_LOOK_MS = 250;
/** Until a node that has just come answers what all others do. */
const SETTLED_MS = 15_000;
/**
 * A node is probed once a minute at most, and seldom again when it is known: a probe is a connection to somebody's service
 * that ends without a word, of which database servers (MariaDB's max_connect_errors) take a hundred of one address.
 */
const PROBE_MS = 60_000;
const PROBE_AGAIN_MS = 6 * 60 * 60 * 1000;
const PROBES_AT_ONCE = 4;
const PROBES_A_LOOK = 32;

/**
 * Finds out which nodes without a swarmd answer published ports: where this host, or another that balances, answers one, a
 * node that refuses it has nothing that balances.
 */
export class PlainNodes implements MeshKnowledge {
  readonly #options: PlainNodesOptions;
  readonly #known = new Map<string, Known>();
  /** When what should answer did not, it is tried again later and later. */
  #missed = { times: 0, untilMs: 0 };

  constructor(options: PlainNodesOptions) {
    this.#options = options;
    for (const { id } of options.store.view.all('node')) this.#begin(id);
  }

  balancing(nodeId: string): Balancing {
    const { reportOf, hasIpvs } = this.#options;
    const report = reportOf(nodeId);
    if (report) return report.mode;
    const known = this.#known.get(nodeId);
    if (known?.mode !== undefined) return known.mode;
    if (!known || nodeId === this.#options.own.nodeId || this.#newForMs(known) > 0) return 'unknown';
    return hasIpvs() ? 'unknown' : 'unlikely';
  }

  async settled(): Promise<void> {
    const { reportOf, own, times } = this.#options;
    const lateMs = times.nowMs() + NEW_MS;
    const isNew = ([nodeId, known]: readonly [string, Known]): boolean =>
      nodeId !== own.nodeId && this.#newForMs(known) > 0 && !reportOf(nodeId);
    while (times.nowMs() < lateMs && [...this.#known].some(isNew))
      await times.pause(SETTLING_LOOK_MS, new AbortController().signal);
  }

  async taken(ports: readonly MeshPortRef[]): Promise<readonly TakenPort[]> {
    if (ports.length === 0) return [];
    const { store, own, reportOf } = this.#options;
    const found: TakenPort[] = [];
    for (const port of ports) {
      const by = await this.#ownerHere(port);
      if (by !== undefined) found.push({ ...port, nodeId: own.nodeId, by });
    }
    for (const { id } of store.view.all('node')) {
      if (id === own.nodeId) continue;
      const taken = new Set(reportOf(id)?.takenPorts.map(refKey));
      for (const port of ports) if (taken.has(refKey(port))) found.push({ ...port, nodeId: id, by: '' });
    }
    return found;
  }

  /** Looks every few seconds until the signal fires. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, times, log } = this.#options;
    const unwatch = store.watch((events) => this.#follow(events));
    for (const { id } of store.view.all('node')) if (!this.#known.has(id)) this.#begin(id);
    while (!signal.aborted) {
      await this.#look(signal).catch((error: unknown) => {
        log.error({ err: messageOf(error) }, 'Nodes could not be probed');
      });
      await times.pause(LOOK_MS, signal);
    }
    unwatch();
  }

  #newForMs({ sinceMs }: Known): number {
    return sinceMs + NEW_MS - this.#options.times.nowMs();
  }

  #begin(nodeId: string): void {
    const probedMs = this.#known.get(nodeId)?.probedMs;
    this.#known.set(nodeId, {
      sinceMs: this.#options.times.nowMs(),
      failures: 0,
      ...(probedMs === undefined ? {} : { probedMs }),
    });
  }

  /** An engine that comes back may be another one on another kernel. */
  #follow(events: readonly StoreEvent[]): void {
    for (const event of events) {
      if (event.kind !== 'node') continue;
      const { object, previous } = event;
      if (event.type === 'remove') this.#known.delete(object.id);
      else if (!previous || cameBack(previous, object)) this.#begin(object.id);
    }
  }

  async #ownerHere(port: MeshPortRef): Promise<string | undefined> {
    try {
      return await this.#options.ownerOf(port);
    } catch (error) {
      this.#options.log.warn({ err: messageOf(error) }, 'What listens on this host could not be read');
      return undefined;
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { store, own, reportOf } = this.#options;
    const plain: Node[] = [];
    for (const node of store.view.all('node')) {
      const report = reportOf(node.id);
      const known = this.#known.get(node.id);
      if (!report) plain.push(node);
      else if (known) known.mode = report.mode;
    }
    const due = new Set(plain.filter(({ id }) => id !== own.nodeId && this.#isDue(id)).map(({ id }) => id));
    if (due.size === 0) return;
    const nodes = probeableNodes(store.view.all('node'), own.host).filter(({ id }) => due.has(id));
    if (nodes.length === 0) return;
    const port = await this.#answeringPort(signal);
    if (port === undefined) return;
    await eachLimited(nodes.slice(0, PROBES_A_LOOK), PROBES_AT_ONCE, (node) =>
      this.#probe(node, port, signal),
    );
  }

  #isDue(nodeId: string): boolean {
    const known = this.#known.get(nodeId);
    if (!known) return false;
    const nowMs = this.#options.times.nowMs();
    if (nowMs - known.sinceMs < SETTLED_MS) return false;
    if (known.probedMs === undefined) return true;
    return nowMs - known.probedMs >= (known.mode === undefined ? PROBE_MS : PROBE_AGAIN_MS);
  }

  /** A published port that a node which balances was seen to answer just now. */
  async #answeringPort(signal: AbortSignal): Promise<number | undefined> {
    const { store, probe, times } = this.#options;
    if (times.nowMs() < this.#missed.untilMs) return undefined;
    const ports = answeringPorts(store.view, times.wallMs());
    for (const port of ports) {
      const host = this.#balancedHost(port);
      if (host === undefined || (await probe(host, port, signal)) !== 'accepted') continue;
      this.#missed = { times: 0, untilMs: 0 };
      return port;
    }
    if (ports.length > 0) {
      const count = this.#missed.times + 1;
      this.#missed = { times: count, untilMs: times.nowMs() + Math.min(PROBE_MS, LOOK_MS * 2 ** count) };
    }
    return undefined;
  }

  /** Where that port is balanced, this host first. */
  #balancedHost(port: number): string | undefined {
    const { store, own, reportOf } = this.#options;
    const balances = (nodeId: string): boolean => {
      const report = reportOf(nodeId);
      if (!report || report.mode === 'none') return false;
      return !report.takenPorts.some(({ protocol, published }) => protocol === 'tcp' && published === port);
    };
    if (balances(own.nodeId)) return own.host;
    for (const { id, status } of store.view.all('node'))
      if (status.state === 'ready' && status.addr !== '' && balances(id)) return status.addr;
    return undefined;
  }

  async #probe(node: Node, port: number, signal: AbortSignal): Promise<void> {
    const { probe, times, log } = this.#options;
    const known = this.#known.get(node.id);
    if (!known) return;
    known.probedMs = times.nowMs();
    const result = await probe(node.status.addr, port, signal);
    const mode = this.#judge(known, result);
    if (mode === known.mode) return;
    known.mode = mode;
    log.info(
      { node: node.id, port, result, balances: mode === 'engine' },
      'Probed a node without a balancer',
    );
  }

  /** A kernel like this host's own needs no second proof; a firewall may be silent as well. */
  #judge(known: Known, result: ProbeResult): BalancerMode | undefined {
    if (result === 'unsure') return known.mode;
    known.failures = result === 'accepted' ? 0 : known.failures + 1;
    // What swarmd has put into the kernel stays there without it.
    if (result === 'accepted') return known.mode === 'nftables' ? known.mode : 'engine';
    const enough = result === 'refused' && !this.#options.hasIpvs() ? 1 : 2;
    return known.failures >= enough ? 'none' : known.mode;
  }
}

function cameBack(before: Node, now: Node): boolean {
  if (now.status.state === 'ready' && before.status.state !== 'ready') return true;
  return before.description !== now.description && !sameValue(before.description, now.description);
}

function refKey({ protocol, published }: MeshPortRef): string {
  return `${protocol}/${published}`;
}

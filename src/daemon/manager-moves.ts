import { messageOf, SwarmError } from '../base/errors.ts';
import type { InitRequest } from '../control/index.ts';
import { IN_A_SWARM } from './free-host.ts';
import type { HostAddresses } from './host-addresses.ts';
import { LOCKED } from './leaving-words.ts';
import type { LifeOptions } from './life-options.ts';
import { FIRST_LEAD_MS } from './new-swarm.ts';
import { MOVED, type OwnManager } from './own-manager.ts';
import type { LocalConfig } from './state-folder.ts';
import { hostPort } from './swarm-addresses.ts';

const ADDRESS_LOOK_MS = 5_000;

/** What has the manager of this host begin anew: its state moves, its address changes, or it goes on by itself. */
export class ManagerMoves {
  readonly #own: OwnManager;
  readonly #addresses: HostAddresses;
  readonly #options: LifeOptions;
  #sharing: Promise<void> | undefined;

  constructor(own: OwnManager, addresses: HostAddresses, options: LifeOptions) {
    this.#own = own;
    this.#addresses = addresses;
    this.#options = options;
  }

  /**
   * Brings the state of a swarm that has one manager to where others can share it. Resolves when it is on its way: copied, and about
   * to be changed over, for which clients wait. Rejects where it can't be brought there; it stays where it is then.
   */
  share(): Promise<void> {
    if (this.#sharing) return this.#sharing;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => undefined); // whoever asked may be gone
    this.#sharing = promise;
    void this.#own
      .inTurn(() => this.#share(resolve))
      .catch((error: unknown) => {
        this.#options.log.error({ err: messageOf(error) }, 'The state could not be brought to an etcd');
        reject(error);
      })
      .finally(() => {
        resolve();
        this.#sharing = undefined;
      });
    return promise;
  }

  /** Until the signal fires: where this host gets another address while it manages, the manager goes on with that. Never rejects. */
  async followAddress(signal: AbortSignal): Promise<void> {
    const { times, log } = this.#options;
    for (let seen = ''; !signal.aborted;) {
      const { local } = this.#own.running ?? {};
      const now = local && (await this.#addresses.now(local));
      const next = now && now.advertise.host !== local.advertise.host ? hostPort(now.advertise) : '';
      // Not what a device shows for a moment.
      if (now && next !== '' && next === seen)
        await this.#own
          .inTurn(() => this.#goElsewhere(now))
          .catch((error: unknown) => {
            log.error({ addr: next, err: messageOf(error) }, 'The manager did not get to its new address');
          });
      seen = next;
      await times.pause(ADDRESS_LOOK_MS, signal);
    }
  }

  /**
   * Goes on with the swarm as its only manager, at another address if one is named: the others are lost, and workers if they return.
   * Gives this host's node.
   */
  async goAlone(request: InitRequest): Promise<string> {
    const running = this.#own.running;
    const { folder, states, log } = this.#options;
    const former = running?.local ?? folder.readLocal();
    if (!former || this.#own.isLocked) throw new SwarmError('no-manager', former ? LOCKED : IN_A_SWARM);
    const local = await this.#addresses.readdressed(former, request.advertiseAddr);
    if (local !== former) folder.writeLocal(local);
    if (running && !running.state.needsMajority) {
      if (hostPort(local.advertise) !== hostPort(former.advertise)) await this.#goElsewhere(local);
      return local.nodeId;
    }
    log.warn({ node: local.nodeId }, 'This host goes on without the other managers');
    await this.#own.restart(async () => {
      await states.alone();
      const next = await this.#own.begin(await states.open(), local);
      this.#own.say(undefined);
      next.follow();
      await next.manager.untilLeading(AbortSignal.timeout(FIRST_LEAD_MS));
      await next.manager.dismissOthers();
    });
    return local.nodeId;
  }

  /** Has the manager that runs go on at this host's new address. */
  async #goElsewhere(local: LocalConfig): Promise<void> {
    const { folder, states, log } = this.#options;
    const { advertise } = this.#own.running?.local ?? {};
    if (!advertise) return;
    log.warn({ from: hostPort(advertise), addr: hostPort(local.advertise) }, MOVED);
    await this.#own.restart(async () => {
      folder.writeLocal(local);
      (await this.#own.begin(await states.open(), local)).follow();
    });
  }

  async #share(onItsWay: () => void): Promise<void> {
    const running = this.#own.running;
    const { states, log } = this.#options;
    if (!running?.isAlone) return;
    const { local } = running;
    const clusterId = running.store.view.cluster()?.id ?? '';
    log.info('The state of the swarm is brought to an etcd, for another manager');
    const move = await states.move(local, clusterId);
    onItsWay();
    await this.#own.restart(async () => {
      await move.finish().catch((error: unknown) => {
        log.error({ err: messageOf(error) }, 'The state did not get to the etcd as it should');
      });
      const next = await this.#own.begin(await states.open(), local);
      next.follow();
      await next.manager.untilLeading(AbortSignal.timeout(FIRST_LEAD_MS)).catch(() => undefined);
      log.info('The state of the swarm is in an etcd that other managers can share');
    });
  }
}

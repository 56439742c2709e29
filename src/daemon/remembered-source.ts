import { Bell } from '../base/bell.ts';
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type {
  BalancedNetwork,
  BalancerReport,
  DoctorFinding,
  EndpointsNeeds,
  EndpointsSource,
  EndpointsUpdate,
  ServiceEndpoints,
} from '../model/index.ts';
import { readRemembered, saveRemembered, type Told, type WorkerPlace } from './balancer-memory.ts';

export interface RememberedOptions {
  readonly live: EndpointsSource;
  /** Where it is kept. */
  readonly path: string;
  /** As it is now; a change is told by `changed`. */
  readonly place: () => WorkerPlace;
  readonly touched: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A manager that is there answers sooner; what the kernel has is younger than what is remembered. */
const PATIENCE_MS = 3_000;
const SAVE_EVERY_MS = 100;
/** A busy disk is left alone for ten times as long as a save took, but no longer than this. */
const SAVE_SHARE = 10;
const SAVE_PAUSE_MAX_MS = 1_000;

/**
 * A source that remembers on disk what it was told, and begins with that where no manager answers at the start. It is
 * version 0: nothing of a manager's is in force with it.
 */
export class RememberedSource implements EndpointsSource {
  readonly #options: RememberedOptions;
  readonly #networks = new Map<string, BalancedNetwork>();
  readonly #services = new Map<string, ServiceEndpoints>();
  readonly #bell = new Bell();
  #unsaved = false;
  #needs: EndpointsNeeds = 'all';
  #wasFull = false;

  constructor(options: RememberedOptions) {
    this.#options = options;
  }

  async *watch(
    signal: AbortSignal,
    needs: EndpointsNeeds = 'all',
  ): AsyncGenerator<EndpointsUpdate, void, undefined> {
    const { live, clock } = this.#options;
    this.#needs = needs;
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const saving = this.#keepSaving(either);
    const updates = live.watch(either, needs)[Symbol.asyncIterator]();
    try {
      let next = updates.next();
      if (needs === 'all' && !(await isSoon(next, clock, either))) {
        const remembered = this.#recall();
        if (remembered && !either.aborted) yield remembered;
      }
      for (let one = await next; !one.done; one = await next) {
        this.#take(one.value);
        yield one.value;
        next = updates.next();
      }
    } finally {
      stop.abort();
      // It may wait for its next update still, which the signal ends.
      void Promise.resolve(updates.return?.()).catch(() => undefined);
      await saving;
    }
  }

  report(report: BalancerReport): Promise<void> {
    return this.#options.live.report(report);
  }

  answer(questionId: string, findings: readonly DoctorFinding[]): Promise<void> {
    return this.#options.live.answer(questionId, findings);
  }

  /** Has saved what is not of the updates. */
  changed(): void {
    if (!this.#wasFull) return;
    this.#unsaved = true;
    this.#bell.ring();
  }

  #recall(): EndpointsUpdate | undefined {
    const { path, place, log } = this.#options;
    const found = readRemembered(path);
    const { clusterId, nodeId } = place();
    if (found?.place.clusterId !== clusterId || found.place.nodeId !== nodeId) return undefined;
    if (!found.told) return undefined;
    const { networks, services } = found.told;
    log.warn({ services: services.length }, 'No manager answers: this host balances as it did last');
    return {
      ...{ version: 0, full: true, networks, services },
      ...{ goneNetworks: [], goneServices: [], questions: [] },
    };
  }

  #take(update: EndpointsUpdate): void {
    const { full, networks, goneNetworks, services, goneServices } = update;
    const networkMap = this.#networks;
    const serviceMap = this.#services;
    if (full) {
      networkMap.clear();
      serviceMap.clear();
      this.#wasFull = true;
    }
    for (const id of goneNetworks) networkMap.delete(id);
    if (goneNetworks.length > 0)
      for (const [key, { networkId }] of serviceMap)
        if (goneNetworks.includes(networkId)) serviceMap.delete(key);
    for (const { networkId, serviceId } of goneServices) serviceMap.delete(`${networkId} ${serviceId}`);
    for (const network of networks) networkMap.set(network.id, network);
    for (const service of services) serviceMap.set(`${service.networkId} ${service.serviceId}`, service);
    const isNews = full || networks.length + goneNetworks.length + services.length + goneServices.length > 0;
    if (!isNews || !this.#wasFull) return;
    this.#unsaved = true;
    this.#bell.ring();
  }

  /** Saves what changed, with pauses, and at the end once more. Never rejects. */
  async #keepSaving(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (await this.#bell.heard(signal)) {
      const beganMs = clock.nowMs();
      await this.#save();
      const tookMs = clock.nowMs() - beganMs;
      await clock.pause(Math.min(SAVE_PAUSE_MAX_MS, Math.max(SAVE_EVERY_MS, SAVE_SHARE * tookMs)), signal);
    }
    await this.#save();
  }

  /** Who balances nothing is told nothing, which is not to be followed when he does. */
  get #told(): Told | undefined {
    if (this.#needs === 'questions') return undefined;
    return { networks: [...this.#networks.values()], services: [...this.#services.values()] };
  }

  async #save(): Promise<void> {
    if (!this.#unsaved) return;
    const { path, place, touched, log } = this.#options;
    this.#unsaved = false;
    try {
      await saveRemembered(path, {
        place: place(),
        touched: touched(),
        told: this.#told,
      });
    } catch (error) {
      log.warn({ path, err: messageOf(error) }, 'What is balanced could not be saved');
    }
  }
}

async function isSoon(promise: Promise<unknown>, clock: Clock, signal: AbortSignal): Promise<boolean> {
  const here = new AbortController();
  const settled = promise.then(
    () => true,
    () => true,
  );
  const late = clock.pause(PATIENCE_MS, AbortSignal.any([signal, here.signal])).then(() => false);
  try {
    return await Promise.race([settled, late]);
  } finally {
    here.abort();
  }
}

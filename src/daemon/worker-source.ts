import type { Times } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { sameValue } from '../base/same-value.ts';
import { connectEndpoints, type RemoteEndpoints } from '../endpoints/index.ts';
import type { EndpointsSource } from '../model/index.ts';
import type { WorkerPlace } from './balancer-memory.ts';
import { readNodeCertificate, type NodeCertificate } from './node-certificate.ts';
import { RememberedSource } from './remembered-source.ts';

export interface WorkerSourceOptions {
  readonly place: WorkerPlace;
  readonly certificate: NodeCertificate;
  /** Where what was said is remembered. */
  readonly memory: string;
  readonly times: Times;
  readonly log: Logger;
}

/** What a worker's balancer follows: the managers that its engine knows, with its engine's certificate. */
export class WorkerSource {
  readonly source: EndpointsSource;
  readonly #remembered: RememberedSource;
  readonly #remote: RemoteEndpoints;
  #place: WorkerPlace;
  #touched = true;
  #certPem: string;

  constructor({ place, certificate, memory, times, log }: WorkerSourceOptions) {
    this.#place = place;
    this.#certPem = certificate.certPem;
    this.#remote = connectEndpoints({
      managers: () => this.#place.managers,
      credentials: () => readNodeCertificate(this.#place.dataRoot),
      clock: times,
      random: Math.random,
      log,
    });
    this.#remembered = new RememberedSource({
      live: this.#remote,
      path: memory,
      place: () => this.#place,
      touched: () => this.#touched,
      clock: times,
      log,
    });
    this.source = this.#remembered;
  }

  /** What the engine says now: its managers, and its certificate, which it renews. */
  update(place: WorkerPlace, { certPem }: NodeCertificate): void {
    if (!sameValue(place, this.#place)) {
      this.#place = place;
      this.#remembered.changed();
    }
    if (certPem === this.#certPem) return;
    this.#certPem = certPem;
    this.#remote.reconnect();
  }
  /** The kernel was left alone. */
  untouched(): void {
    this.#touched = false;
    this.#remembered.changed();
  }
}

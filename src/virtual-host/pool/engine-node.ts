import { lookup } from 'node:dns/promises';
import { setMaxListeners } from 'node:events';
import { isIP } from 'node:net';
import type { Logger } from 'pino';
import { backoffMs, pause } from '../../base/async.ts';
import { SwarmError, messageOf } from '../../base/errors.ts';
import {
  EngineClient,
  EventPlace,
  followEvents,
  type EngineAddress,
  type EngineEvent,
  type EngineTls,
} from '../../engine/index.ts';
import { SchedulerNode } from '../../scheduler/index.ts';
import { versionText, type ApiMinor } from '../../docker-api/index.ts';
import { PING_TIMEOUT_MS, RETRY_FIRST_MS, RETRY_MAX_MS, RETRY_REST_MS } from './detection.ts';
import { Inventory } from './inventory.ts';
import { readEngineInfo, type EngineInfo } from './engine-info.ts';
import type { ContainerIndex } from './container-index.ts';

/** As `docker info` shows them. */
export type NodeState = 'Pending' | 'Healthy' | 'Unhealthy' | 'Disconnected';

export interface NodeSettings {
  overcommit: number;
  refreshMinMs: number;
  refreshMaxMs: number;
  failureRetry: number;
  tls?: EngineTls | undefined;
}

/** What a node tells the pool it is in. */
export interface NodeHost {
  readonly settings: NodeSettings;
  readonly index: ContainerIndex;
  readonly log: Logger;
  /** The node that holds an engine ID already, when it is another one. */
  claimId(node: EngineNode, id: string): EngineNode | undefined;
  /** The node is not the engine it was any more. */
  releaseId(node: EngineNode): void;
  /** The state, or what `docker info` shows of the node, has changed. */
  nodeChanged(node: EngineNode): void;
  engineEvent(node: EngineNode, event: EngineEvent): void;
}

const CHECK_TIMEOUT_MS = 10_000;
const REJOIN_FIRST_MS = 1_000;
const REJOIN_MAX_MS = 30_000;
const EVENTS_FIRST_MS = 1_000;
const EVENTS_MAX_MS = 10_000;
const SAME_FAILURE_MS = 400;
const SKEW_WARNING_MS = 2_000;

/**
 * One engine of the pool and its life: it is Pending until it was validated, Healthy while it answers, Unhealthy
 * after as many failures in a row as configured. Its inventory follows the engine's events, and is read again whole
 * after every gap in them and at every refresh.
 */
export class EngineNode {
  readonly address: EngineAddress;
  readonly client: EngineClient;
  readonly sched: SchedulerNode;
  readonly inventory: Inventory;
  readonly #host: NodeHost;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  #info: EngineInfo | undefined;
  #state: NodeState = 'Pending';
  #wake: AbortController | undefined;
  #back: AbortController | undefined;
  #failedAt = 0;
  #gone = endOfNode();
  #following = false;
  #stream: AbortController | undefined;
  /** An event stream that was open while the engine failed: it may be dead without a word, as after a loss of power. */
  #doubted: AbortController | undefined;
  ip = '';
  failures = 0;
  /** Since when nothing is heard of the engine, on the process's clock; undefined while all is well. */
  silentSinceMs: number | undefined;
  /** When its last silence ended, on the process's clock. */
  heardAgainMs = -Infinity;
  /** Why it is not Healthy, in words; empty otherwise. */
  trouble = '';
  updatedAtMs = Date.now();

  constructor(address: EngineAddress, host: NodeHost) {
    this.address = address;
    this.#host = host;
    this.#log = host.log.child({ engine: address.text });
    this.client = new EngineClient(address, host.settings.tls);
    this.sched = new SchedulerNode({
      id: '',
      name: '',
      address: address.text,
      labels: {},
      totalNanoCpus: 0,
      totalMemoryBytes: 0,
    });
    this.sched.healthy = false;
    this.inventory = new Inventory(this, host.index, this.#log);
  }

  get state(): NodeState {
    return this.#state;
  }

  get healthy(): boolean {
    return this.#state === 'Healthy';
  }

  /** Whether it was there and is not any more, as far as anybody can tell. */
  get lost(): boolean {
    return this.#state === 'Unhealthy' || this.#state === 'Disconnected';
  }

  /** Fires when the node is lost: nothing that was asked of its engine can be waited for. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Whether every change at the engine is heard of as it happens. */
  get following(): boolean {
    return this.#following && this.healthy && this.failures === 0;
  }

  /** Undefined until the engine was validated for the first time. */
  get info(): EngineInfo | undefined {
    return this.#info;
  }

  get id(): string {
    return this.#info?.id ?? '';
  }

  get name(): string {
    return this.#info?.name ?? '(unknown)';
  }

  get cores(): number {
    return this.#info?.cores ?? 0;
  }

  get clockSkewMs(): number {
    return this.#info?.clockSkewMs ?? 0;
  }

  /** A path with the version prefix the engine should be spoken to in, for a client of `minor`. */
  path(path: string, minor?: ApiMinor): string {
    return `/v${versionText(this.minorFor(minor))}${path}`;
  }

  /** The version nearest to the client's that the engine speaks; its highest when none is given. */
  minorFor(minor?: ApiMinor): ApiMinor {
    const info = this.#info;
    if (!info) return minor ?? 41;
    return Math.max(info.minApiMinor, Math.min(info.apiMinor, minor ?? info.apiMinor));
  }

  /** Lives until `close`. */
  async run(): Promise<void> {
    const { signal } = this.#stop;
    for (let attempt = 0; !signal.aborted;) {
      try {
        await this.#join(signal);
        attempt = 0;
        await this.#follow(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#host.releaseId(this);
        this.trouble = messageOf(error);
        this.#log.warn({ err: this.trouble }, 'Failed to validate engine');
        this.#setState('Pending');
        const waitMs = backoffMs(attempt, REJOIN_FIRST_MS, REJOIN_MAX_MS, Math.random);
        attempt += 1;
        await pause(waitMs, signal);
      }
    }
  }

  /** Leaves the pool: loops end, connections close, containers are forgotten. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the node left the pool'));
    this.#setState('Disconnected');
    this.inventory.clear();
    await this.client.close();
  }

  /** Somebody saw the engine fail: look at it now rather than at the next refresh. */
  suspect(): void {
    this.#wake?.abort();
  }

  /** Connects and validates. Throws with the reason the node stays Pending for. */
  async #join(signal: AbortSignal): Promise<void> {
    const info = await this.#check(signal);
    const holder = this.#host.claimId(this, info.id);
    if (holder) {
      throw new SwarmError(
        'conflict',
        `ID duplicated. ${info.id} shared by this node ${this.address.text} and another node ${holder.address.text}`,
      );
    }
    this.ip = await this.#resolve();
    this.#accept(info);
  }

  async #check(signal: AbortSignal): Promise<EngineInfo> {
    // A busy engine may take long over /info; one that hangs does not even answer a ping.
    await this.client.call('/_ping', { signal, timeoutMs: PING_TIMEOUT_MS });
    const options = { signal, timeoutMs: CHECK_TIMEOUT_MS, maxBytes: 8 * 1024 * 1024 };
    const askedMs = Date.now();
    const [version, info] = await Promise.all([
      this.client.json('/version', options),
      this.client.json('/info', options),
    ]);
    return readEngineInfo(version, info, { askedMs, answeredMs: Date.now() });
  }

  async #resolve(): Promise<string> {
    if (this.address.kind === 'unix') return '';
    if (isIP(this.address.host) > 0) return this.address.host;
    return (await lookup(this.address.host)).address;
  }

  #accept(info: EngineInfo): void {
    const { overcommit } = this.#host.settings;
    const known = this.#info;
    this.#info = info;
    this.sched.setFacts({
      id: info.id,
      name: info.name,
      labels: info.labels,
      totalNanoCpus: Math.floor(info.cores * 1e9 * (1 + overcommit)),
      totalMemoryBytes: Math.floor(info.memoryBytes * (1 + overcommit)),
    });
    if (!known && Math.abs(info.clockSkewMs) > SKEW_WARNING_MS) {
      this.#log.warn({ skewMs: info.clockSkewMs }, "The engine's clock differs from the manager's");
    }
  }

  /** Follows the engine until its identity changes or the node leaves. */
  async #follow(stop: AbortSignal): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([stop, over.signal]);
    try {
      await Promise.race([this.#eventLoop(signal), this.#refreshLoop(signal)]);
    } finally {
      over.abort();
      this.inventory.clear();
      this.#info = undefined;
      this.failures = 0;
    }
  }

  async #eventLoop(signal: AbortSignal): Promise<void> {
    const place = new EventPlace();
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const stream = new AbortController();
      this.#stream = stream;
      try {
        if (attempt > 0) await this.#recheck(signal);
        let loading: Promise<void> | undefined;
        await followEvents(this.client, this.path('/events') + place.search, {
          signal: AbortSignal.any([signal, stream.signal]),
          onOpen: () => {
            this.#following = true;
            place.opened(Date.now() + this.clockSkewMs);
            loading = this.inventory.load(signal).then(
              () => this.#succeeded(signal),
              (error: unknown) => this.#failed(error, signal),
            );
          },
          onEvent: (event) => {
            attempt = 0;
            if (!place.take(event)) return;
            this.inventory.heard(event);
            this.#host.engineEvent(this, event);
          },
        }).finally(() => {
          this.#following = false;
          if (!stream.signal.aborted) this.silentSinceMs ??= performance.now();
        });
        await loading;
      } catch (error) {
        if (error instanceof IdentityChanged) throw error;
        if (!stream.signal.aborted) this.#failed(error, signal);
      }
      const back = new AbortController();
      this.#back = back;
      const waitMs = backoffMs(attempt, EVENTS_FIRST_MS, EVENTS_MAX_MS, Math.random);
      await pause(waitMs, AbortSignal.any([signal, back.signal]));
    }
  }

  async #refreshLoop(signal: AbortSignal): Promise<void> {
    const { refreshMinMs, refreshMaxMs } = this.#host.settings;
    while (!signal.aborted) {
      const plainMs = refreshMinMs + Math.random() * (refreshMaxMs - refreshMinMs);
      const retryMs = backoffMs(this.failures, RETRY_FIRST_MS, RETRY_MAX_MS, Math.random);
      const wake = new AbortController();
      this.#wake = wake;
      await pause(
        this.failures > 0 ? Math.min(plainMs, retryMs) : plainMs,
        AbortSignal.any([signal, wake.signal]),
      );
      if (signal.aborted) return;
      try {
        await this.#recheck(signal);
        await this.inventory.load(signal);
        // An engine that is back is heard at once, not when the pause between two tries is over.
        if (this.failures > 0) this.#back?.abort();
        this.#succeeded(signal);
        this.#doubted?.abort();
        this.#doubted = undefined;
      } catch (error) {
        if (error instanceof IdentityChanged) throw error;
        this.#failed(error, signal);
        this.#doubted = this.#stream;
        // A wake-up by whoever saw the same failure must not turn into a busy loop.
        await pause(RETRY_REST_MS, signal);
      }
    }
  }

  /** Asks the engine who it is. Throws `IdentityChanged` when it is not the one that was validated. */
  async #recheck(signal: AbortSignal): Promise<void> {
    const info = await this.#check(signal);
    if (info.id !== this.id) throw new IdentityChanged(this.id, info.id);
    this.#accept(info);
  }

  #succeeded(signal: AbortSignal): void {
    if (signal.aborted) return;
    this.failures = 0;
    if (this.silentSinceMs !== undefined) this.heardAgainMs = performance.now();
    this.silentSinceMs = undefined;
    this.trouble = '';
    this.#setState('Healthy');
  }

  #failed(error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    const now = performance.now();
    this.silentSinceMs ??= now;
    // Both loops see the same failure; it counts once.
    if (this.failures === 0 || now - this.#failedAt > SAME_FAILURE_MS) this.failures += 1;
    this.#failedAt = now;
    this.trouble = messageOf(error);
    this.#log.debug({ err: this.trouble, failures: this.failures }, 'Engine failed');
    if (this.failures >= this.#host.settings.failureRetry) this.#setState('Unhealthy');
    else this.#setState(this.#state);
  }

  #setState(state: NodeState): void {
    const former = this.#state;
    this.updatedAtMs = Date.now();
    if (former === 'Disconnected') return;
    this.#state = state;
    this.sched.healthy = state === 'Healthy';
    this.sched.failures = this.failures;
    if (this.lost && !this.#gone.signal.aborted) {
      const why = this.trouble === '' ? '' : `: ${this.trouble}`;
      this.#gone.abort(new SwarmError('unavailable', `node ${this.name} is ${state}${why}`));
    } else if (!this.lost && this.#gone.signal.aborted) this.#gone = endOfNode();
    if (former !== state) {
      this.#log.info(
        { name: this.name, from: former, to: state, err: this.trouble || undefined },
        'Engine state changed',
      );
    }
    this.#host.nodeChanged(this);
  }
}

/** Any number of requests may listen. */
function endOfNode(): AbortController {
  const end = new AbortController();
  setMaxListeners(0, end.signal);
  return end;
}

class IdentityChanged extends SwarmError {
  constructor(former: string, now: string) {
    super('conflict', `the engine is another one now: its ID was ${former} and is ${now}`);
  }
}

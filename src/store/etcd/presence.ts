import { asNumber, asObject, asString } from '../../base/json.ts';
import type { EtcdClient } from './client.ts';
import { keysOf, type Keys } from './keys.ts';
import { watchRange } from './watch.ts';

/** What a manager that is there says of itself. */
export interface Present {
  readonly nodeId: string;
  /** `host:port` of its port for agents and managers. */
  readonly addr: string;
  /** Of its swarmd. */
  readonly version: string;
  /** The newest layout of the state that it reads and writes. */
  readonly layout: number;
}

export interface PresenceOptions {
  readonly prefix: string;
  readonly clusterId: string;
  readonly self: Present;
  /** How long a manager that falls silent is still taken to be there; in whole seconds. */
  readonly ttlMs?: number;
}

const TTL_MS = 5_000;
const RENEW_PART = 1 / 3;
const RETRY_MS = 500;

/**
 * Which managers are there: each has a key under a lease of its own, and all follow all keys. Where etcd can't be
 * reached for as long as it is asked, 5 s, nobody but this manager itself is known to be there.
 */
export class Presence {
  readonly #client: EtcdClient;
  readonly #keys: Keys;
  readonly #options: PresenceOptions;
  readonly #ttlMs: number;
  readonly #there = new Map<string, Present>();
  readonly #listeners = new Set<() => void>();
  #follows = false;

  constructor(client: EtcdClient, options: PresenceOptions) {
    this.#client = client;
    this.#keys = keysOf(options.prefix, options.clusterId);
    this.#options = options;
    this.#ttlMs = options.ttlMs ?? TTL_MS;
  }

  /** Whether a manager is there, as far as is known; this one always. */
  has(nodeId: string): boolean {
    return nodeId === this.#options.self.nodeId || (this.#follows && this.#there.has(nodeId));
  }

  /** All that are known to be there, but for this one. */
  get others(): readonly Present[] {
    if (!this.#follows) return [];
    return [...this.#there.values()].filter(({ nodeId }) => nodeId !== this.#options.self.nodeId);
  }

  /** Called after every change. Returns what ends it. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Shows this manager, and follows the others, until the signal fires; then takes its key away. Never rejects. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await Promise.all([this.#show(signal), this.#follow(signal)]);
  }

  async #show(signal: AbortSignal): Promise<void> {
    const asked = { signal, deadlineMs: this.#ttlMs * RENEW_PART };
    let lease: bigint | undefined;
    while (!signal.aborted) {
      let waitMs = this.#ttlMs * RENEW_PART;
      try {
        if (lease === undefined || !(await this.#client.keepAlive(lease, asked))) {
          lease = await this.#client.grant(Math.ceil(this.#ttlMs / 1000), asked);
          await this.#put(lease, asked);
        }
      } catch {
        waitMs = RETRY_MS;
      }
      await this.#client.clock.pause(waitMs, signal);
    }
    if (lease !== undefined)
      await this.#client.revoke(lease, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
  }

  async #put(lease: bigint, asked: { signal: AbortSignal; deadlineMs: number }): Promise<void> {
    const { nodeId, ...said } = this.#options.self;
    const value = Buffer.from(JSON.stringify(said));
    await this.#client.txn(
      {
        success: [
          { request: { case: 'requestPut', value: { key: this.#keys.manager(nodeId), value, lease } } },
        ],
      },
      asked,
    );
  }

  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let began = false;
      try {
        await this.#watch(signal, () => (began = true));
      } catch {
        // A connection that was lost says nothing of anybody: only where no other one can be had is nothing known.
        if (!began) this.#unknown();
      }
      await this.#client.clock.pause(RETRY_MS, signal);
    }
  }

  #unknown(): void {
    if (!this.#follows) return;
    this.#follows = false;
    this.#tell();
  }

  async #watch(signal: AbortSignal, onBegun: () => void): Promise<void> {
    const { kvs, header } = await this.#client.range(this.#keys.managers, { signal });
    this.#there.clear();
    for (const { key, value } of kvs) this.#see(key, value);
    this.#follows = true;
    onBegun();
    this.#tell();
    const options = { from: (header?.revision ?? 0n) + 1n, signal };
    for await (const { events } of watchRange(this.#client, this.#keys.managers, options)) {
      // A key that was removed has no version.
      for (const { kv } of events) if (kv) this.#see(kv.key, kv.version > 0n ? kv.value : undefined);
      this.#tell();
    }
  }

  #see(key: Uint8Array, value: Uint8Array | undefined): void {
    const said = this.#keys.read(key);
    if (said?.kind !== 'manager') return;
    const present = value && presentOf(said.id, value);
    if (present) this.#there.set(said.id, present);
    else this.#there.delete(said.id);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** What somebody wrote there without sense is still somebody. */
function presentOf(nodeId: string, value: Uint8Array): Present {
  try {
    const { addr, version, layout } = asObject(JSON.parse(Buffer.from(value).toString()));
    return { nodeId, addr: asString(addr), version: asString(version), layout: asNumber(layout) };
  } catch {
    return { nodeId, addr: '', version: '', layout: 0 };
  }
}

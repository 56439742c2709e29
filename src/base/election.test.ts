import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock } from './clock.ts';
import { SwarmError } from './errors.ts';
import { Election } from './election.ts';
import type { Acquired, Lock } from './lock.ts';
import { seeded } from '../../test/seeded.ts';

const TTL_MS = 3_000;

/** A world whose time goes on from one planned step to the next. */
class World {
  nowMs = 0;
  /** Looked at after every step. */
  invariant: () => void = () => undefined;
  #steps: { atMs: number; act: () => void }[] = [];

  plan(atMs: number, act: () => void): void {
    this.#steps.push({ atMs: Math.max(atMs, this.nowMs), act });
  }

  async runUntil(endMs: number): Promise<void> {
    await settled();
    for (;;) {
      this.#steps.sort((a, b) => a.atMs - b.atMs);
      const next = this.#steps[0];
      if (!next || next.atMs > endMs) break;
      this.#steps.shift();
      this.nowMs = next.atMs;
      next.act();
      await settled();
      this.invariant();
    }
    this.nowMs = endMs;
    this.invariant();
  }
}

/** Lets every promise that can go on do so. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The store: who has the lock, until when; and how it misbehaves. */
class Store {
  readonly world: World;
  holder: Process | undefined;
  untilMs = 0;
  down = false;
  /** How long one way of a message takes. */
  latencyMs: () => number = () => 5;
  /** What becomes of a message: it arrives, its answer is lost, or it is lost itself. */
  fate: () => 'arrives' | 'answer-lost' | 'lost' = () => 'arrives';

  constructor(world: World) {
    this.world = world;
  }

  current(): Process | undefined {
    return this.world.nowMs < this.untilMs ? this.holder : undefined;
  }

  take(process: Process): Acquired {
    const current = this.current();
    if (current && current !== process) return { kind: 'taken', by: current.name };
    this.holder = process;
    this.untilMs = this.world.nowMs + TTL_MS;
    return { kind: 'held' };
  }
}

/** A process that takes part; while it is frozen nothing in it goes on, but its clock does. */
class Process {
  readonly name: string;
  readonly election: Election;
  readonly troubles: (string | undefined)[] = [];
  readonly changes: string[] = [];
  frozenUntilMs = 0;
  readonly #store: Store;
  readonly #stop = new AbortController();
  ended: Promise<void> | undefined;

  constructor(name: string, store: Store) {
    this.name = name;
    this.#store = store;
    this.election = new Election({
      lock: this.#lock(),
      ttlMs: TTL_MS,
      clock: this.#clock(),
      random: () => 0.5,
      onTrouble: (message) => this.troubles.push(message),
    });
    this.election.listen(() =>
      this.changes.push(this.election.leads() ? 'leads' : (this.election.holder ?? '-')),
    );
  }

  start(): this {
    this.ended = this.election.run({ signal: this.#stop.signal });
    return this;
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Its messages get nowhere any more. */
  die(): void {
    this.frozenUntilMs = Infinity;
  }

  #deliver(atMs: number, act: () => void): void {
    const { world } = this.#store;
    world.plan(atMs, () => {
      if (this.frozenUntilMs === Infinity) return;
      if (this.frozenUntilMs > world.nowMs) this.#deliver(this.frozenUntilMs, act);
      else act();
    });
  }

  #clock(): Clock {
    const { world } = this.#store;
    return {
      nowMs: () => world.nowMs,
      pause: (ms, signal) =>
        new Promise((resolve) => {
          if (signal.aborted) {
            resolve();
            return;
          }
          signal.addEventListener('abort', () => resolve(), { once: true });
          this.#deliver(world.nowMs + ms, resolve);
        }),
    };
  }

  /** One message to the store and back. */
  #ask<T>(signal: AbortSignal, act: () => T): Promise<T> {
    const store = this.#store;
    const { world } = store;
    return new Promise((resolve, reject) => {
      const lost = (): void => reject(new SwarmError('unavailable', 'no answer'));
      signal.addEventListener('abort', lost, { once: true });
      const fate = store.fate();
      world.plan(world.nowMs + store.latencyMs(), () => {
        if (fate === 'lost') return;
        if (store.down) {
          this.#deliver(world.nowMs + store.latencyMs(), () =>
            reject(new SwarmError('unavailable', 'connection refused')),
          );
          return;
        }
        const answer = act();
        if (fate === 'arrives') this.#deliver(world.nowMs + store.latencyMs(), () => resolve(answer));
      });
    });
  }

  #lock(): Lock {
    const store = this.#store;
    const clock = this.#clock();
    const ask = <T>(signal: AbortSignal, act: () => T): Promise<T> => this.#ask(signal, act);
    return {
      acquire: ({ signal }) => ask(signal, () => store.take(this)),
      renew: ({ signal }) => ask(signal, () => store.current() === this && store.take(this).kind === 'held'),
      release: ({ signal }) =>
        ask(signal, () => {
          if (store.current() === this) store.untilMs = 0;
        }),
      async *watch({ signal }) {
        let told: string | undefined | false = false;
        while (!signal.aborted) {
          if (store.down) throw new SwarmError('unavailable', 'connection refused');
          const holder = store.current()?.name;
          if (holder !== told) yield (told = holder);
          await clock.pause(20, signal);
        }
      },
    };
  }
}

describe('Election', () => {
  it('leads alone, and goes on leading for as long as it renews', async () => {
    const world = new World();
    const a = new Process('a', new Store(world)).start();
    await world.runUntil(100);
    expect(a.election.leads()).toBe(true);
    await world.runUntil(20 * TTL_MS);
    expect(a.election.leads()).toBe(true);
    expect(a.changes).toEqual(['leads']);
    expect(a.troubles).toEqual([]);
  });

  it('follows who leads, and tells who that is', async () => {
    const world = new World();
    const store = new Store(world);
    const a = new Process('a', store).start();
    await world.runUntil(100);
    const b = new Process('b', store).start();
    await world.runUntil(200);
    expect(b.election.leads()).toBe(false);
    expect(b.election.holder).toBe('a');
    expect(a.election.holder).toBeUndefined();
  });

  it('resigns when it is stopped: the next one leads at once', async () => {
    const world = new World();
    const store = new Store(world);
    const a = new Process('a', store).start();
    await world.runUntil(100);
    const b = new Process('b', store).start();
    await world.runUntil(1_000);
    a.stop();
    expect(a.election.leads()).toBe(false);
    await world.runUntil(1_200);
    await a.ended;
    expect(b.election.leads()).toBe(true);
  });

  it('is followed within the ttl when it dies', async () => {
    const world = new World();
    const store = new Store(world);
    const a = new Process('a', store).start();
    await world.runUntil(100);
    const b = new Process('b', store).start();
    await world.runUntil(5_000);
    a.die();
    await world.runUntil(5_000 + TTL_MS + 100);
    expect(b.election.leads()).toBe(true);
    expect(a.election.leads()).toBe(false);
  });

  it('stops leading before its lease can run out when the store is gone, and leads again when it is back', async () => {
    const world = new World();
    const store = new Store(world);
    const a = new Process('a', store).start();
    await world.runUntil(100);
    store.down = true;
    await world.runUntil(TTL_MS);
    // The last renewal may have come just before.
    await world.runUntil(2 * TTL_MS);
    expect(a.election.leads()).toBe(false);
    expect(a.troubles).toEqual(['connection refused']);
    store.down = false;
    await world.runUntil(4 * TTL_MS);
    expect(a.election.leads()).toBe(true);
    expect(a.troubles).toEqual(['connection refused', undefined]);
  });

  it('bridges a short trouble without giving up the lead', async () => {
    const world = new World();
    const store = new Store(world);
    const a = new Process('a', store).start();
    await world.runUntil(900);
    store.down = true;
    await world.runUntil(900 + TTL_MS / 3);
    store.down = false;
    await world.runUntil(3 * TTL_MS);
    expect(a.changes).toEqual(['leads']);
  });

  it('counts a slow renewal from the moment it was asked for', async () => {
    const world = new World();
    const store = new Store(world);
    const a = new Process('a', store).start();
    await world.runUntil(100);
    store.latencyMs = () => TTL_MS * 0.15;
    await world.runUntil(10 * TTL_MS);
    expect(a.election.leads()).toBe(true);
    store.latencyMs = () => TTL_MS;
    await world.runUntil(12 * TTL_MS);
    expect(a.election.leads()).toBe(false);
  });

  it('does not believe that it leads when it goes on after it was stopped for longer than its lease', async () => {
    const world = new World();
    const store = new Store(world);
    const a = new Process('a', store).start();
    await world.runUntil(100);
    const b = new Process('b', store).start();
    await world.runUntil(1_000);
    a.frozenUntilMs = 1_000 + 3 * TTL_MS;
    // Nothing has run in it yet, not even the news that it has lost.
    await world.runUntil(1_000 + 2 * TTL_MS);
    expect(a.election.leads()).toBe(false);
    expect(b.election.leads()).toBe(true);
    await world.runUntil(1_000 + 5 * TTL_MS);
    expect(a.election.leads()).toBe(false);
    expect(a.election.holder).toBe('b');
  });

  it('keeps the last known leader while the store is gone', async () => {
    const world = new World();
    const store = new Store(world);
    new Process('a', store).start();
    await world.runUntil(100);
    const b = new Process('b', store).start();
    await world.runUntil(200);
    store.down = true;
    await world.runUntil(10 * TTL_MS);
    expect(b.election.holder).toBe('a');
    expect(b.troubles).toEqual(['connection refused']);
  });

  it('never has two leaders, and always has one again when the trouble is over', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 2, max: 4 }), async (seed, count) => {
        const random = seeded(seed).next;
        const world = new World();
        const store = new Store(world);
        const all = Array.from({ length: count }, (_, i) => new Process(`m${i}`, store).start());
        world.invariant = () => {
          const leading = all.filter((one) => one.election.leads()).map((one) => one.name);
          expect(leading.length, leading.join(' ')).toBeLessThan(2);
        };
        const trouble = 20 * TTL_MS;
        store.latencyMs = () => random() ** 4 * TTL_MS;
        store.fate = () => {
          const dice = random();
          return dice < 0.8 ? 'arrives' : dice < 0.9 ? 'answer-lost' : 'lost';
        };
        for (let atMs = 0; atMs < trouble; atMs += random() * TTL_MS) {
          const dice = random();
          const one = all[Math.floor(random() * all.length)];
          const lastsMs = random() * 2 * TTL_MS;
          world.plan(atMs, () => {
            if (dice < 0.3 && one) one.frozenUntilMs = world.nowMs + lastsMs;
            else if (dice < 0.5) store.down = !store.down;
          });
        }
        await world.runUntil(trouble);
        store.down = false;
        store.latencyMs = () => 5;
        store.fate = () => 'arrives';
        await world.runUntil(trouble + 6 * TTL_MS);
        expect(all.filter((one) => one.election.leads())).toHaveLength(1);
      }),
      { numRuns: 15 },
    );
  });
});

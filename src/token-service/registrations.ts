import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { messageOf, SwarmError } from '../base/errors.ts';
import { openDatabase } from './database.ts';

/** Engines that may register under one token, and under all of them. */
const [MAX_PER_TOKEN, MAX_IN_ALL] = [10_000, 100_000];
/** A longer time to live is taken as this. */
const MAX_TTL_MS = 30 * 24 * 3_600_000;

/** So many that ran out are removed at a time; what has run out is never listed, removed or not. */
const SWEEP_ROWS = 500;

export interface RegistrationsOptions {
  folder: string;
  /** Milliseconds, only ever forward. */
  nowMs?: () => number;
  maxPerToken?: number;
  maxInAll?: number;
}

/**
 * Which engines registered under which token, for how long. A token is nothing but what is registered under it, so any
 * can be used at once and none has to be kept.
 *
 * The clock of the registrations stands still while the service is down, and whoever was registered then is registered
 * for its whole time to live from the start on: agents could not renew meanwhile, and must not lose their cluster.
 */
export class Registrations implements Disposable {
  readonly path: string;
  /** Names these data; another one means that the registrations were lost. */
  readonly dataId: string;
  readonly #database: DatabaseSync;
  readonly #nowMs: () => number;
  readonly #find: StatementSync;
  readonly #list: StatementSync;
  readonly #count: StatementSync;
  readonly #put: StatementSync;
  readonly #forget: StatementSync;
  readonly #sweep: StatementSync;
  readonly #maxPerToken: number;
  readonly #maxInAll: number;
  #rows: number;

  /** Throws `unavailable` naming what cannot be used. */
  constructor(options: RegistrationsOptions) {
    const { folder, nowMs = () => performance.now() } = options;
    this.#maxPerToken = options.maxPerToken ?? MAX_PER_TOKEN;
    this.#maxInAll = options.maxInAll ?? MAX_IN_ALL;
    const { database, path } = openDatabase(folder);
    this.path = path;
    this.#database = database;
    const first = (sql: string): Record<string, unknown> => database.prepare(sql).get() ?? {};
    this.dataId = String(first('SELECT id FROM data')['id']);
    const aliveMs = Number(first('SELECT max(expires_ms - ttl_ms) AS at FROM registrations')['at'] ?? 0);
    const startedMs = nowMs();
    this.#nowMs = () => Math.floor(aliveMs + nowMs() - startedMs);
    this.#write(() => {
      database.prepare('DELETE FROM registrations WHERE expires_ms <= ?').run(aliveMs);
      database.prepare('UPDATE registrations SET expires_ms = ? + ttl_ms').run(aliveMs);
    });
    this.#rows = Number(first('SELECT count(*) AS rows FROM registrations')['rows']);
    this.#find = database.prepare('SELECT 1 FROM registrations WHERE token = ? AND address = ?');
    this.#list = database.prepare(
      'SELECT address FROM registrations WHERE token = ? AND expires_ms > ? ORDER BY address',
    );
    this.#count = database.prepare('SELECT count(*) AS rows FROM registrations WHERE token = ?');
    this.#put = database.prepare(
      `INSERT INTO registrations (token, address, ttl_ms, expires_ms) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET ttl_ms = excluded.ttl_ms, expires_ms = excluded.expires_ms`,
    );
    this.#forget = database.prepare('DELETE FROM registrations WHERE token = ?');
    this.#sweep = database.prepare(
      `DELETE FROM registrations WHERE (token, address) IN
       (SELECT token, address FROM registrations WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ${SWEEP_ROWS})`,
    );
  }

  /** The engines of a token, in the order of their addresses; none for a token that is not known. */
  list(token: string): string[] {
    return this.#list.all(token, this.#nowMs()).map((row) => String(row['address']));
  }

  /**
   * Registers an engine for `ttlMs` from now on; it is on disk when this returns. Throws `unavailable` where a bound is
   * reached, `internal` where it can't be kept; what was kept before stays.
   */
  register(token: string, address: string, ttlMs: number): void {
    const ttl = Math.min(Math.ceil(ttlMs), MAX_TTL_MS);
    const known = this.#find.get(token, address) !== undefined;
    if (!known) this.#makeRoom(token);
    this.#write(() => this.#put.run(token, address, ttl, this.#nowMs() + ttl));
    if (!known) this.#rows += 1;
  }

  /** Forgets every engine of a token. Throws `internal` where that can't be written. */
  forget(token: string): void {
    this.#rows -= Number(this.#write(() => this.#forget.run(token)).changes);
  }

  /** Removes some of what has run out; true when there may be more. Throws `internal`. */
  sweep(): boolean {
    const removed = Number(this.#write(() => this.#sweep.run(this.#nowMs())).changes);
    this.#rows -= removed;
    return removed === SWEEP_ROWS;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #makeRoom(token: string): void {
    const ofToken = (): number => Number(this.#count.get(token)?.['rows']);
    if (this.#rows < this.#maxInAll && ofToken() < this.#maxPerToken) return;
    this.sweep();
    if (this.#rows >= this.#maxInAll)
      throw new SwarmError('unavailable', `the service keeps ${this.#maxInAll} registrations at most`);
    if (ofToken() >= this.#maxPerToken)
      throw new SwarmError(
        'unavailable',
        `${this.#maxPerToken} engines at most may register under one token`,
      );
  }

  #write<T>(statement: () => T): T {
    try {
      return statement();
    } catch (error) {
      throw new SwarmError('internal', `cannot write '${this.path}': ${messageOf(error)}`, { cause: error });
    }
  }
}

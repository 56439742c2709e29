import { SwarmError } from '../../base/errors.ts';
import type { StoreHttp } from '../http-store.ts';
import { ApiMissingError, type EtcdApi, type EtcdPlaces } from './api.ts';
import { V2Client } from './v2-client.ts';
import { EtcdV2 } from './v2.ts';
import { V3Client } from './v3-client.ts';
import { EtcdV3 } from './v3.ts';

/** Which of etcd's two key APIs is spoken: what was asked for, else v3 where the server has it, else v2. */
export class ApiChoice {
  readonly #v3: EtcdV3;
  readonly #v2: EtcdV2;
  readonly #http: StoreHttp;
  readonly #asked: EtcdApi | undefined;
  #found: EtcdApi | undefined;
  /** This server does not even have the v2 API. */
  #withoutV2 = false;

  constructor(http: StoreHttp, places: EtcdPlaces, asked: 2 | 3 | undefined) {
    this.#http = http;
    this.#v3 = new EtcdV3(new V3Client(http), places);
    this.#v2 = new EtcdV2(new V2Client(http), places);
    if (asked !== undefined) this.#asked = asked === 3 ? this.#v3 : this.#v2;
  }

  /** Does something by the API in use; looks for it anew where the server does not have that any more. */
  async using<T>(signal: AbortSignal, act: (api: EtcdApi) => Promise<T>): Promise<T> {
    const before = this.#found;
    try {
      return await act(await this.#choose(signal));
    } catch (error) {
      if (!(error instanceof ApiMissingError) || before === undefined) throw error;
      this.#found = undefined;
      return act(await this.#choose(signal));
    }
  }

  /** Likewise for what goes on; the caller begins again after an error. */
  async *following<T>(
    signal: AbortSignal,
    act: (api: EtcdApi) => AsyncIterable<T>,
  ): AsyncGenerator<T, void, undefined> {
    try {
      yield* act(await this.#choose(signal));
    } catch (error) {
      if (error instanceof ApiMissingError) this.#found = undefined;
      throw error;
    }
  }

  /**
   * A hint where v3 was found to be there and has no engine, but v2 has: agents of the Go original register so, and the
   * two APIs of a server do not see one another's keys.
   */
  async hint(signal: AbortSignal): Promise<string | undefined> {
    if (this.#asked || this.#found?.version !== 3 || this.#withoutV2) return undefined;
    try {
      const { registrations } = await this.#v2.list(signal);
      if (registrations.length === 0) return undefined;
    } catch (error) {
      this.#withoutV2 = error instanceof ApiMissingError;
      return undefined;
    }
    return `etcd at ${this.#http.endpoint} has engines under its v2 API only: use --discovery-opt etcd.api=2`;
  }

  async #choose(signal: AbortSignal): Promise<EtcdApi> {
    if (this.#asked) return this.#asked;
    this.#found ??= await this.#find(signal);
    return this.#found;
  }

  async #find(signal: AbortSignal): Promise<EtcdApi> {
    for (const api of [this.#v3, this.#v2]) {
      try {
        await api.probe(signal);
        return api;
      } catch (error) {
        if (!(error instanceof ApiMissingError)) throw error;
      }
    }
    const neither = 'has neither the v3 API as JSON (etcd 3.4 and newer) nor the v2 API (--enable-v2)';
    throw new SwarmError('unavailable', `etcd at ${this.#http.endpoint} ${neither}`);
  }
}

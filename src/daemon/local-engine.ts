import { SwarmError } from '../base/errors.ts';
import { asObject, asString } from '../base/json.ts';
import { parseExact } from '../base/exact-json.ts';
import { parseApiVersion, type ApiMinor } from '../docker-api/index.ts';
import type { EnginePort } from '../control/index.ts';
import { EngineClient, type EngineAddress } from '../engine/index.ts';

type JsonOptions = Parameters<EnginePort['json']>[3];
type JsonAnswer = Awaited<ReturnType<EnginePort['json']>>;

/** What of an engine is known without asking it. */
export interface EngineFacts {
  /** The newest version that it speaks, and the oldest. */
  readonly minor: ApiMinor;
  readonly minMinor: ApiMinor;
}

const FACTS_TIMEOUT_MS = 5_000;
/** An engine that joins or leaves a swarm takes its time. */
const ANSWER_MS = 60_000;

/** The Docker Engine beside this daemon. */
export class LocalEngine implements EnginePort {
  readonly client: EngineClient;
  #facts: EngineFacts | undefined;
  #fresh = false;
  #asking: Promise<EngineFacts | undefined> | undefined;

  constructor(address: EngineAddress) {
    this.client = new EngineClient(address);
  }

  /** As it was when it last answered; undefined before it ever did. */
  get facts(): EngineFacts | undefined {
    return this.#facts;
  }

  /** The same engine, with connections of its own; to be closed. */
  anew(): LocalEngine {
    return new LocalEngine(this.client.address);
  }

  /** Where it listens, in words. */
  get where(): string {
    const { text, kind } = this.client.address;
    return kind === 'unix' ? text : `tcp://${text}`;
  }

  /** It may be another one when it answers again: Docker is upgraded by a restart. */
  forget(): void {
    this.#fresh = false;
  }

  /**
   * The facts. Those that may have changed are asked for in the background; the answer is waited for only where nobody
   * ever answered. Undefined then, when there is none.
   */
  async known(): Promise<EngineFacts | undefined> {
    if (this.#fresh) return this.#facts;
    this.#asking ??= this.#ask()
      .catch(() => undefined)
      .finally(() => (this.#asking = undefined));
    return this.#facts ?? this.#asking;
  }

  async #ask(): Promise<EngineFacts> {
    const { value } = await this.json('GET', '/version', undefined, {
      signal: AbortSignal.timeout(FACTS_TIMEOUT_MS),
    });
    const { ApiVersion, MinAPIVersion } = asObject(value);
    const minor = parseApiVersion(ApiVersion);
    if (minor === undefined) throw new SwarmError('unavailable', `${this.where} is no Docker Engine`);
    this.#facts = { minor, minMinor: parseApiVersion(MinAPIVersion) ?? 0 };
    this.#fresh = true;
    return this.#facts;
  }

  async json(method: string, path: string, body?: unknown, options: JsonOptions = {}): Promise<JsonAnswer> {
    try {
      const answer = await this.client.call(path, {
        method,
        timeoutMs: ANSWER_MS,
        ...(body === undefined ? {} : { json: body }),
        ...(options.headers ? { headers: { ...options.headers } } : {}),
        ...(options.signal ? { signal: options.signal } : {}),
      });
      const text = answer.body.toString('utf8');
      return { status: answer.status, value: text.trim() === '' ? undefined : parsed(text) };
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

/** The words of an error answer; of any other, none. */
export function refusalOf({ status, value }: JsonAnswer): string | undefined {
  if (status < 400) return undefined;
  return asString(asObject(value)['message']) || `the engine answered with status ${status}`;
}

function parsed(text: string): unknown {
  try {
    return parseExact(text);
  } catch {
    return { message: text.trim() };
  }
}

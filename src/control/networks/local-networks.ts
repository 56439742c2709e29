import { asArray, asString, isObject, type Json } from '../../base/json.ts';
import type { ApiCall } from '../../docker-api/index.ts';
import type { EnginePort } from '../context.ts';

/** How long the networks of the swarm wait for those of the engine. */
const PATIENCE_MS = 5_000;

/** What an engine answers. */
export interface EngineAnswer {
  readonly status: number;
  readonly value: unknown;
}

/** Asks the local engine; undefined when it does not answer: the swarm's networks are there without it. */
export async function askEngine(
  engine: EnginePort,
  path: string,
  signal: AbortSignal,
): Promise<EngineAnswer | undefined> {
  try {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
    return await engine.json('GET', path, undefined, { signal: patience });
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** The local engine's networks; none when it does not answer. */
export async function localNetworks(
  engine: EnginePort,
  signal: AbortSignal,
): Promise<readonly LocalNetwork[]> {
  const answer = await askEngine(engine, '/networks', signal);
  return answer?.status === 200 ? readNetworks(answer.value) : [];
}

/** A network as an engine lists it. */
export interface LocalNetwork {
  readonly id: string;
  readonly name: string;
  readonly scope: string;
  readonly entry: Json;
}

export function readNetworks(value: unknown): readonly LocalNetwork[] {
  return asArray(value)
    .filter(isObject)
    .map((entry) => ({
      id: asString(entry['Id']),
      name: asString(entry['Name']),
      scope: asString(entry['Scope']),
      entry,
    }));
}

/** Passes on what the engine answered. */
export function passAnswer(call: ApiCall, { status, value }: EngineAnswer): void {
  if (value === undefined) call.empty(status);
  else call.json(status, value);
}

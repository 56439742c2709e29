import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, SwarmError } from '../base/errors.ts';
import { asArray, asObject, asString } from '../base/json.ts';
import { refusalOf, type LocalEngine } from './local-engine.ts';
import { hostPort } from './swarm-addresses.ts';
import type { LocalConfig } from './state-folder.ts';

/** What an engine says of the swarm it is in. */
export interface EngineSwarm {
  /** Docker's word: inactive, pending, active, error, locked. */
  readonly state: string;
  /** '' in no swarm. */
  readonly nodeId: string;
  readonly error: string;
  /** What it tells others of where it is; '' where it does not know yet. */
  readonly nodeAddr: string;
  /** `host:port` of the managers that it knows; empty in no swarm. */
  readonly managers: readonly string[];
  /** Where it keeps its data, as it sees its host. */
  readonly dataRoot: string;
}

/** It gives the join 20 s itself, and says so then. */
const JOIN_MS = 60_000;
const LEAVE_MS = 60_000;
const LOOK_MS = 10_000;

/**
 * Throws `unavailable` or `timeout` where the engine does not answer. One that is about to stop says over open connections
 * that it is in no swarm, and takes no new ones: so for that word it is asked over a new one.
 */
export async function engineSwarm(engine: LocalEngine, signal?: AbortSignal): Promise<EngineSwarm> {
  const found = await askSwarm(engine, signal);
  if (found.state !== 'inactive') return found;
  const anew = engine.anew();
  try {
    return await askSwarm(anew, signal);
  } finally {
    await anew.close();
  }
}

async function askSwarm(engine: LocalEngine, signal: AbortSignal | undefined): Promise<EngineSwarm> {
  const answer = await engine.json('GET', '/info', undefined, { signal: within(LOOK_MS, signal) });
  const refusal = refusalOf(answer);
  if (refusal !== undefined) throw new SwarmError('unavailable', refusal);
  const { Swarm, DockerRootDir } = asObject(answer.value);
  const { LocalNodeState, NodeID, NodeAddr, Error: error, RemoteManagers } = asObject(Swarm);
  return {
    state: asString(LocalNodeState) || 'inactive',
    nodeId: asString(NodeID),
    error: asString(error),
    nodeAddr: asString(NodeAddr),
    managers: asArray(RemoteManagers)
      .map((one) => asString(asObject(one)['Addr']))
      .filter((addr) => addr !== ''),
    dataRoot: asString(DockerRootDir),
  };
}

/** As SwarmKit's CA refuses a token that it does not know. */
const NO_TOKEN = 'A valid join token is necessary';
const TOKEN_TRIES = 10;
const TOKEN_PAUSE_MS = 1_000;

/** Has the engine join the swarm of its host. Throws the engine's own words. */
export async function joinEngine(
  engine: LocalEngine,
  local: LocalConfig,
  token: string,
  signal?: AbortSignal,
): Promise<void> {
  const body = {
    ListenAddr: hostPort(local.listen),
    // One of the host's own it takes from its way to the manager, at each of its starts anew: it may be another one by then.
    AdvertiseAddr: local.source ? '' : local.advertise.host,
    DataPathAddr: local.dataPath,
    RemoteAddrs: [hostPort(local.advertise)],
    JoinToken: token,
    Availability: 'active',
  };
  // What goes on in the background would come in when nobody waits for it any more.
  const giveUp = (): Promise<void> => leaveEngine(engine).catch(() => undefined);
  let answer;
  try {
    answer = await engine.json('POST', '/swarm/join', body, { signal: within(JOIN_MS, signal) });
  } catch (error) {
    if (!signal?.aborted) await giveUp();
    throw error;
  }
  const refusal = refusalOf(answer);
  if (refusal === undefined) return;
  // It was quicker to join another swarm, which is not ours to end.
  if (!refusal.includes('already part of a swarm')) await giveUp();
  throw new SwarmError(
    answer.status === 503 ? 'no-manager' : answer.status === 400 ? 'invalid' : 'internal',
    refusal,
  );
}

/**
 * The same with a token of a leader that may lead no more when the engine comes with it: tokens are that one's alone, and `newToken`
 * gives one of the next.
 */
export async function joinEngineSurely(
  engine: LocalEngine,
  local: LocalConfig,
  token: string,
  newToken: () => Promise<string>,
): Promise<void> {
  let isOver = false;
  for (let tries = 1; ; tries++)
    try {
      return await joinEngine(engine, local, isOver ? await newToken() : token);
    } catch (error) {
      isOver ||= messageOf(error).includes(NO_TOKEN);
      if (!isOver || tries === TOKEN_TRIES) throw error;
      await sleep(TOKEN_PAUSE_MS);
    }
}

/** Has the engine leave whatever swarm it is in. Throws the engine's own words; to be in none is well. */
export async function leaveEngine(engine: LocalEngine): Promise<void> {
  const answer = await engine.json('POST', '/swarm/leave?force=1', undefined, {
    signal: AbortSignal.timeout(LEAVE_MS),
  });
  const refusal = refusalOf(answer);
  if (refusal === undefined || refusal.includes('not part of a swarm')) return;
  throw new SwarmError('internal', refusal);
}

/**
 * Has the engine leave the swarm of its host; one that is a node of another swarm, where `isOurs` knows none of that id, is
 * left alone. Throws as leaveEngine and engineSwarm.
 */
export async function leaveOwnSwarm(engine: LocalEngine, isOurs: (nodeId: string) => boolean): Promise<void> {
  const { nodeId } = await engineSwarm(engine);
  if (nodeId === '' || isOurs(nodeId)) await leaveEngine(engine);
}

/** Docker's own networks at this engine: devices in them are no address of the host. Empty where it does not answer. */
export async function engineSubnets(engine: LocalEngine): Promise<string[]> {
  try {
    const { value } = await engine.json('GET', '/networks', undefined, {
      signal: AbortSignal.timeout(LOOK_MS),
    });
    const networks = Array.isArray(value) ? value : [];
    return networks.flatMap((network) => {
      const { Config } = asObject(asObject(network)['IPAM']);
      return Array.isArray(Config) ? Config.map((one) => asString(asObject(one)['Subnet'])) : [];
    });
  } catch {
    return [];
  }
}

function within(ms: number, signal: AbortSignal | undefined): AbortSignal {
  return AbortSignal.any([AbortSignal.timeout(ms), ...(signal ? [signal] : [])]);
}

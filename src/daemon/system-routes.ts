import { arch, hostname, release } from 'node:os';
import { asObject, asStrings, type Json } from '../base/json.ts';
import { BUILD_TIME, COMMIT, VERSION } from '../base/version.ts';
import { infoWithoutEngine, mergedInfo, mergedVersion } from '../control/index.ts';
import { versionText, type ApiCall } from '../docker-api/index.ts';
import {
  FIRST_MINOR,
  OLDEST_MINOR,
  type BesideHandler,
  type DaemonContext,
  type ManagerHandler,
} from './daemon-context.ts';
import { isWitness, TWO_MANAGERS } from '../model/index.ts';
import type { ManagedSwarm } from './managed-swarm.ts';
import { engineDown } from './pass.ts';

/** Docker's client of any version must get its answer, so that it knows which one to speak. */
export const ping: ManagerHandler = (call, context) => answerPing(call, context, 'active/manager');

/** Answers a ping, with the state of this host's swarm in Docker's words. */
export async function answerPing(call: ApiCall, { engine }: DaemonContext, swarm: string): Promise<void> {
  const facts = await engine.known();
  const { res } = call;
  // Engines build with BuildKit by default from 23.0 (API 1.42) on.
  res.setHeader('Builder-Version', (facts?.minor ?? FIRST_MINOR) >= 42 ? '2' : '1');
  res.setHeader('Cache-Control', 'no-cache, no-store, must-revalidate');
  res.setHeader('Pragma', 'no-cache');
  res.setHeader('Swarm', swarm);
  call.body(200, 'text/plain; charset=utf-8', 'OK');
}

/** `GET /info` */
export const info: ManagerHandler = async (call, { engine, balancing }, swarm) => {
  const { local, membership, state, store } = swarm;
  const found = await askEngine(engine, '/info');
  const base = found ?? infoWithoutEngine({ name: hostname(), version: VERSION });
  const trouble = found ? membership.trouble : engineDown(engine);
  const facts = { nodeId: local.nodeId, nodeAddr: local.advertise.host, trouble };
  const stale = state.trouble === undefined ? [] : [`WARNING: ${state.trouble}`];
  call.json(
    200,
    withWarnings(await mergedInfo(base, store.view, facts), [
      ...stale,
      ...twoManagers(swarm),
      ...balancing.warnings,
    ]),
  );
};

/** Docker's words: both are needed. */
function twoManagers({ state, store }: ManagedSwarm): string[] {
  let votes = 0;
  for (const node of store.view.all('node')) if (node.role === 'manager' || isWitness(node)) votes += 1;
  return state.needsMajority && votes === 2 ? [`WARNING: ${TWO_MANAGERS}`] : [];
}

/** Answers with the engine's `/info`, and with what is to be said of the swarm instead of what the engine says. */
export async function answerInfo(
  call: ApiCall,
  { engine, balancing }: DaemonContext,
  swarm: Json,
): Promise<void> {
  const found = await askEngine(engine, '/info');
  const base = found ?? infoWithoutEngine({ name: hostname(), version: VERSION });
  call.json(200, withWarnings({ ...base, Swarm: swarm }, balancing.warnings));
}

/** `GET /info` of a host that manages no swarm: the engine's, and what its balancer has to say. */
export const infoWithWarnings: BesideHandler = async (call, { engine, life, balancing }, { whole }) => {
  const trouble =
    life.trouble === undefined ? [] : [`WARNING: this host does not manage its swarm: ${life.trouble}`];
  const warnings = [...trouble, ...balancing.warnings];
  const found = warnings.length > 0 ? await askEngine(engine, whole) : undefined;
  if (found) call.json(200, withWarnings(found, warnings));
  return found !== undefined;
};

function withWarnings(info: Json, more: readonly string[]): Json {
  return more.length > 0 ? { ...info, Warnings: [...asStrings(info['Warnings']), ...more] } : info;
}

/** `GET /version` */
export const version: ManagerHandler = async (call, { engine }) => {
  const facts = await engine.known();
  const minimum = versionText(Math.max(OLDEST_MINOR, facts?.minMinor ?? 0));
  const about = ownVersion();
  const details = {
    GitCommit: COMMIT,
    BuildTime: BUILD_TIME,
    NodeVersion: process.versions.node,
    Os: about.Os,
    Arch: about.Arch,
    KernelVersion: about.KernelVersion,
  };
  const component = { Name: 'swarmd', Version: VERSION, Details: details };
  const found = await askEngine(engine, '/version');
  const base = found ?? { ...about, ApiVersion: versionText(facts?.minor ?? FIRST_MINOR), Components: [] };
  call.json(200, mergedVersion(base, component, minimum));
};

/** The engine's answer; undefined where it gives none. */
async function askEngine(
  engine: DaemonContext['engine'],
  path: string,
): Promise<Record<string, unknown> | undefined> {
  try {
    const { status, value } = await engine.json('GET', path, undefined, {
      signal: AbortSignal.timeout(ENGINE_MS),
    });
    return status === 200 ? asObject(value) : undefined;
  } catch {
    return undefined;
  }
}

/** Whoever asks has a deadline too. */
const ENGINE_MS = 10_000;

function ownVersion() {
  return {
    Platform: { Name: 'Skep' },
    Version: VERSION,
    GitCommit: COMMIT,
    // Docker's clients print this field as the language the server runs on.
    GoVersion: `node${process.versions.node}`,
    Os: 'linux',
    Arch: arch() === 'x64' ? 'amd64' : arch(),
    KernelVersion: release(),
    BuildTime: BUILD_TIME,
    Experimental: false,
  };
}

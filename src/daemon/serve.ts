import { chownSync, readFileSync } from 'node:fs';
import { within } from '../base/async.ts';
import { SYSTEM_TIMES } from '../base/clock.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import { asObject, asString } from '../base/json.ts';
import { isExposed, listenText } from '../base/listen-address.ts';
import { explainListenError } from '../base/listen-error.ts';
import type { Logger } from '../base/log.ts';
import { followTlsFiles, tlsWarnings } from '../certs/index.ts';
import { startApiServer, type ApiServer, type Listen } from '../docker-api/index.ts';
import { Keyring, LAYOUTS, parseUnlockKey, type Layouts } from '../store/index.ts';
import { serveAdmin } from './admin.ts';
import { activatedSockets } from './activation.ts';
import { Attendance } from './attendance.ts';
import { createApi } from './api.ts';
import { AtLeader } from './at-leader.ts';
import { Balancing } from './balancing.ts';
import type { DaemonContext } from './daemon-context.ts';
import { etcdStates } from './etcd-states.ts';
import { untilGossip } from './gossip.ts';
import { LocalEngine } from './local-engine.ts';
import { refuseExposed, type DaemonOptions } from './options.ts';
import type { ManagedSwarm } from './managed-swarm.ts';
import { ManagerPeers } from './manager-peers.ts';
import { RecentEvents } from './recent-events.ts';
import { memoryStates } from './memory-states.ts';
import { OwnEtcd } from './own-etcd.ts';
import { ownStates, type OwnWorld } from './own-states.ts';
import type { SharedWorld } from './shared-state.ts';
import { StateFolder } from './state-folder.ts';
import type { States } from './states.ts';
import { SwarmLife } from './swarm-life.ts';

/** How long open requests may take to end when the daemon is stopped. */
const DRAIN_MS = 3_000;
const CLOSE_MS = 15_000;
const FOLLOW_MS = 5_000;

export interface ServeWorld {
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly env: NodeJS.ProcessEnv;
  /** The layouts of the state that it reads; those of this version if nothing is said. */
  readonly layouts?: Layouts;
}

/** Runs the daemon until the signal fires. Rejects with a SwarmError where it can't begin. */
export async function serve(
  options: DaemonOptions,
  { signal, log, env, layouts = LAYOUTS }: ServeWorld,
): Promise<void> {
  const times = SYSTEM_TIMES;
  const engine = new LocalEngine(options.engine);
  const folder = new StateFolder(options.stateDir);
  folder.make();
  refuseOtherStore(options, folder);
  const events = new RecentEvents();
  const stopping = new AbortController();
  const peers = new ManagerPeers((): ManagedSwarm | undefined => life.swarm);
  const atLeader = new AtLeader({ times, send: (...args) => peers.send(...args) });
  const keyring = new Keyring();
  const states = statesOf(options.store, folder, {
    ...{ times, log, keyring, layouts },
    askUnlockKey: (signal) => unlockKeyOf(life.swarm, atLeader, signal),
    onWanted: () => life.share(),
    onRemoved: () => void life.endWitness({ always: false }),
    storeMember: options.storeMember,
  });
  const life: SwarmLife = new SwarmLife({
    folder,
    states,
    keyring,
    peers,
    onApi: (req, res) => passedOn(req, res),
    // Loaded when there is a swarm: a daemon without one is a relay, and small.
    startManager: async (...args) => (await import('../manager/index.ts')).startManager(...args),
    heartbeatNs: options.heartbeatNs,
    engine,
    untilGossip: (local) => untilGossip(local, times),
    events,
    times,
    log,
  });
  const balancing = new Balancing({
    mode: options.balancer,
    engine,
    swarm: () => life.swarm,
    folder,
    times,
    log,
    createBalancer: async (...args) => (await import('../balancer/index.ts')).createBalancer(...args),
    removeBalancing: async () => (await import('../balancer/index.ts')).removeBalancing({ log }),
  });
  const context: DaemonContext = {
    ...{ engine, life, balancing, atLeader, events, times, log },
    joined: () => attendance.joined(),
    stopping: stopping.signal,
  };
  const attendance = new Attendance({
    ...{ engine, peers, times, log },
    swarm: () => life.swarm,
    means: () => life.means(),
    witness: (node, wanted) => life.witness(node, wanted),
    isWitness: () => life.isWitness,
    onLeft: () => life.endWitness({ always: true }),
    become: (node) => life.become(node),
  });
  const passedOn = createApi(context, { passedOn: true });
  // Before anybody can ask: a swarm that is there is never denied.
  await life.resume();
  const undo = async (error: unknown): Promise<never> => {
    await life.close();
    throw explainListenError(error);
  };
  const admin = await serveAdmin(folder, context).catch(undo);
  const server = await listen(options, context, env).catch(undo);
  if (options.storeMember === 'wanted') void warnIfUnable(life, log);
  const following = Promise.all([
    balancing.run(stopping.signal),
    attendance.run(stopping.signal),
    life.followAddress(stopping.signal),
  ]);
  if (options.tls) {
    for (const warning of tlsWarnings(options.tls, [], Date.now())) log.warn(warning);
    void followTlsFiles(options.tls, { signal, log });
  }
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  stopping.abort(new Error('the daemon stops'));
  // It may be in the middle of a command that hangs.
  const ended = within(FOLLOW_MS, 'the balancer', following).catch((error: unknown) => {
    log.warn({ err: messageOf(error) }, 'The balancer did not end');
  });
  await within(
    CLOSE_MS,
    'closing the daemon',
    Promise.all([server.close(DRAIN_MS), admin.close(), ended.then(() => life.close())]),
  );
  peers.close();
  await engine.close();
}

/** Whoever wants this host to keep the state hears at once what keeps it from that. */
async function warnIfUnable(life: SwarmLife, log: Logger): Promise<void> {
  const { etcdVersion, obstacle } = await life.means();
  if (etcdVersion === '') log.warn('--store-member needs etcd on this host: apt-get install etcd-server');
  else if (obstacle !== '') log.warn({ reason: obstacle }, 'This host can’t be a --store-member now');
}

/** A host goes on with the store that it began with. */
function refuseOtherStore({ store, stateDir }: DaemonOptions, folder: StateFolder): void {
  const { store: kept } = folder.readLocal() ?? {};
  if (kept === 'etcd' && store.kind !== 'etcd')
    throw new SwarmError(
      'conflict',
      `this host manages a swarm whose state is in an etcd of the user’s: start swarmd with the same --store etcd://… as before, or name another --state-dir than '${stateDir}'`,
    );
  if (kept === 'sqlite' && store.kind !== 'sqlite')
    throw new SwarmError(
      'conflict',
      `this host manages a swarm whose state swarmd keeps itself, in '${stateDir}': start swarmd without --store, as before, or name another --state-dir`,
    );
  if (store.kind === 'sqlite' || !folder.hasDatabase) return;
  const [what, would] =
    store.kind === 'memory' ? ['memory', ' not read it, but erase it'] : ['etcd://…', ' leave it aside'];
  throw new SwarmError(
    'conflict',
    `'${stateDir}' holds a state, and --store ${what} would${would}: name another --state-dir`,
  );
}

function statesOf(
  store: DaemonOptions['store'],
  folder: StateFolder,
  world: SharedWorld & Pick<OwnWorld, 'onWanted' | 'storeMember'> & { readonly onRemoved: () => void },
): States {
  if (store.kind === 'etcd') return etcdStates(store.place, world);
  if (store.kind === 'memory') return memoryStates(world);
  return ownStates({ ...world, folder, etcd: new OwnEtcd(folder, world) });
}

/** The unlock key, as the manager that leads tells it. */
async function unlockKeyOf(
  swarm: ManagedSwarm | undefined,
  atLeader: AtLeader,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (!swarm) throw new SwarmError('unavailable', 'this host manages no swarm');
  const { value } = await atLeader.json(swarm, { method: 'GET', path: '/swarm/unlockkey' }, signal);
  return parseUnlockKey(asString(asObject(value)['UnlockKey']));
}

async function listen(
  options: DaemonOptions,
  context: DaemonContext,
  env: NodeJS.ProcessEnv,
): Promise<ApiServer> {
  const { log } = context;
  const sockets = options.activated ? activatedSockets(env, process.pid) : [];
  const server = await startApiServer({
    listen: [...options.listen, ...sockets.map((fd) => ({ kind: 'fd' as const, fd }))],
    handle: createApi(context),
    ...(options.tls ? { tls: options.tls } : {}),
    onRefused: (peer, reason) => log.info({ peer, reason }, 'Refused a client'),
  });
  try {
    for (const address of server.addresses) tellOf(address, options, log);
  } catch (error) {
    await server.close(0);
    throw error;
  }
  for (const address of options.listen) if (address.kind === 'unix') shareWithDocker(address.path, log);
  return server;
}

function tellOf(address: Listen, { tls, open }: DaemonOptions, log: Logger): void {
  const addr = listenText(address);
  if (!tls && !open) refuseExposed(address);
  if (!tls && isExposed(address))
    log.warn({ addr }, 'Listening without TLS: anyone who reaches this address is root on this host');
  log.info({ addr, proto: address.kind }, 'Listening for HTTP');
}

/** As dockerd does: whoever is in the group docker may use the socket. */
function shareWithDocker(path: string, log: Logger): void {
  try {
    const gid = /^docker:[^:]*:(\d+):/m.exec(readFileSync('/etc/group', 'utf8'))?.[1];
    if (gid !== undefined) chownSync(path, 0, Number(gid));
  } catch (error) {
    log.warn({ path, err: messageOf(error) }, 'The group docker could not be given the socket');
  }
}

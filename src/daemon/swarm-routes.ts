import { SwarmError } from '../base/errors.ts';
import { readInitRequest, readJoinRequest } from '../control/index.ts';
import { queryFlag, readJson } from '../docker-api/index.ts';
import type { DaemonHandler, ManagerHandler } from './daemon-context.ts';
import { refusalOf, type LocalEngine } from './local-engine.ts';
import { engineDown } from './pass.ts';
import { IN_A_SWARM } from './free-host.ts';

/** `POST /swarm/init` */
export const initSwarm: DaemonHandler = async (call, { life, balancing }) => {
  const request = readInitRequest(await readJson(call.req));
  const nodeId = await life.init(request);
  void balancing.changed();
  call.json(200, nodeId);
};

/** `POST /swarm/join` of a manager's host. */
export const joinAgain: ManagerHandler = async (call) => {
  call.dropUpload();
  throw new SwarmError('no-manager', IN_A_SWARM);
};

/** `POST /swarm/join` while this host is in no swarm: as a manager, or its engine alone as a worker, as the token says. */
export const joinSwarm: DaemonHandler = async (call, { engine, life, balancing, joined }) => {
  const body = await readJson(call.req);
  if ((await life.join(readJoinRequest(body))) === 'manager') {
    void balancing.changed();
    call.empty(200);
    return;
  }
  const answer = await atEngine(engine, '/swarm/join', body);
  const refusal = refusalOf(answer);
  void balancing.changed();
  joined();
  if (refusal === undefined) call.empty(200);
  else call.refuse(answer.status, refusal);
};

/** `POST /swarm/leave` of a host that manages no swarm: its engine leaves, and nothing is balanced any more. */
export const leaveAsWorker: DaemonHandler = async (call, context) => {
  call.dropUpload();
  const { engine, life, balancing } = context;
  if (life.trouble !== undefined) return leaveSwarm(call, context);
  const answer = await atEngine(
    engine,
    queryFlag(call.query, 'force') ? '/swarm/leave?force=1' : '/swarm/leave',
  );
  const refusal = refusalOf(answer);
  if (refusal === undefined) {
    void life.endWitness({ always: true });
    await balancing.changed();
    call.empty(200);
  } else call.refuse(answer.status, refusal);
};

/** `POST /swarm/leave` */
export const leaveSwarm: DaemonHandler = async (call, { life, balancing }) => {
  await life.leave(queryFlag(call.query, 'force'));
  await balancing.changed();
  call.empty(200);
};

/** The engine's answer; one that does not answer says so in Docker's words, as where a call is passed on. */
async function atEngine(engine: LocalEngine, path: string, body?: unknown): ReturnType<LocalEngine['json']> {
  return engine
    .json('POST', path, body)
    .catch(() => ({ status: 503, value: { message: engineDown(engine) } }));
}

import { SwarmError } from '../base/errors.ts';
import { asObject, asString } from '../base/json.ts';
import { readInitRequest } from '../control/index.ts';
import { queryFlag, readJson } from '../docker-api/index.ts';
import type { DaemonHandler, ManagerHandler } from './daemon-context.ts';
import { refusalOf } from './local-engine.ts';
import { IN_A_SWARM } from './swarm-life.ts';

/** `POST /swarm/init` */
export const initSwarm: DaemonHandler = async (call, { life }) => {
  const request = readInitRequest(await readJson(call.req));
  call.json(200, await life.init(request));
};

/** `POST /swarm/join` of a manager's host. */
export const joinAgain: ManagerHandler = async (call) => {
  call.dropUpload();
  throw new SwarmError('no-manager', IN_A_SWARM);
};

/** `POST /swarm/join` while this host is in no swarm: its engine joins as a worker. */
export const joinSwarm: DaemonHandler = async (call, { engine }) => {
  const body = await readJson(call.req);
  const answer = await engine.json('POST', '/swarm/join', body);
  const refusal = refusalOf(answer);
  if (refusal === undefined) call.empty(200);
  else call.refuse(answer.status, isAboutRole(refusal) ? NO_SECOND_MANAGER : refusal);
};

/** `POST /swarm/leave` */
export const leaveSwarm: DaemonHandler = async (call, { life }) => {
  await life.leave(queryFlag(call.query, 'force'));
  call.empty(200);
};

/** `POST /swarm/unlock`: nothing is ever locked. */
export const unlockSwarm: DaemonHandler = async (call) => {
  const { UnlockKey } = asObject(await readJson(call.req));
  asString(UnlockKey);
  throw new SwarmError('conflict', 'swarm is not locked');
};

const NO_SECOND_MANAGER =
  'a swarm has one manager yet: joining with the manager token follows in a later version; use the worker token (docker swarm join-token worker)';

/** What a manager of ours tells an engine that comes with the manager's token. */
function isAboutRole(refusal: string): boolean {
  return /cannot be a manager of this swarm/.test(refusal);
}

import { SwarmError } from '../base/errors.ts';
import { asObject, asString } from '../base/json.ts';
import { readJson } from '../docker-api/index.ts';
import { parseUnlockKey } from '../store/index.ts';
import type { DaemonHandler, ManagerHandler } from './daemon-context.ts';
import { answerInfo, answerPing } from './system-routes.ts';

/** `POST /swarm/unlock` while the swarm of this host is locked. */
export const unlockSwarm: DaemonHandler = async (call, { life, balancing }) => {
  const { UnlockKey } = asObject(await readJson(call.req));
  await life.unlock(parseUnlockKey(asString(UnlockKey)));
  void balancing.changed();
  call.empty(200);
};

/** The same of a manager that runs. */
export const notLocked: ManagerHandler = async (call) => {
  asString(asObject(await readJson(call.req))['UnlockKey']);
  throw new SwarmError('conflict', 'swarm is not locked');
};

/** `/_ping` while the swarm of this host is locked. */
export const pingLocked: DaemonHandler = (call, context) => answerPing(call, context, 'locked');

/** `GET /info` while the swarm of this host is locked: the engine's, whose swarm it is not to say. */
export const infoLocked: DaemonHandler = async (call, context) => {
  const { life } = context;
  await answerInfo(call, context, {
    NodeID: '',
    NodeAddr: life.nodeAddr,
    LocalNodeState: 'locked',
    ControlAvailable: false,
    Error: life.trouble ?? '',
    RemoteManagers: null,
  });
};

import { SwarmError } from '../base/errors.ts';
import { diagnose, diagnosisJson, findOne } from '../control/index.ts';
import type { DaemonHandler, ManagerHandler } from './daemon-context.ts';
import { systemAddresses } from './interfaces.ts';
import { NO_MANAGER } from './no-manager.ts';

/**
 * `GET /swarm/network-doctor?service=…&node=…`: whether a service is reached through each node, and what is wrong. Both may be
 * left out. Not Docker's.
 */
export const networkDoctor: ManagerHandler = async (call, _context, swarm) => {
  const { store, local, manager, plainNodes } = swarm;
  const { view } = store;
  const asked = { service: call.query.get('service') ?? '', node: call.query.get('node') ?? '' };
  const service = asked.service === '' ? undefined : findOne(view, 'service', asked.service);
  const node =
    asked.node === '' ? undefined : findOne(view, 'node', asked.node === 'self' ? local.nodeId : asked.node);
  const context = { view, balancers: manager.endpoints, knowledge: plainNodes };
  const question = {
    ...(service ? { service } : {}),
    ...(node ? { node } : {}),
    hostAddresses: systemAddresses(),
  };
  call.json(200, diagnosisJson(await diagnose(context, question, call.signal)));
};

/** The engine of a worker has no answer to it at all. */
export const noDoctor: DaemonHandler = () => Promise.reject(new SwarmError('no-manager', NO_MANAGER));

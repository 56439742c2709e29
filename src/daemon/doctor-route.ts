import { SwarmError } from '../base/errors.ts';
import { asObject, asString } from '../base/json.ts';
import { diagnose, diagnosisJson, findOne } from '../control/index.ts';
import type { DoctorFinding } from '../model/index.ts';
import type { WorkerPlace } from './balancer-memory.ts';
import type { DaemonHandler, ManagerHandler } from './daemon-context.ts';
import { systemAddresses } from './interfaces.ts';
import type { LocalEngine } from './local-engine.ts';
import { NO_MANAGER } from './no-manager.ts';

const HOSTNAME_MS = 2_000;
const MOST_NAMED = 5;

/**
 * `GET /swarm/network-doctor?service=…&node=…`: whether a service is reached through each node, and what is wrong. Both may be
 * left out. Not Docker's.
 */
export const networkDoctor: ManagerHandler = async (call, _context, swarm) => {
  const { store, local, manager, plainNodes } = swarm;
  if (!manager.leading || !plainNodes) throw new SwarmError('no-manager', 'this manager does not lead');
  const { view } = store;
  const asked = { service: call.query.get('service') ?? '', node: call.query.get('node') ?? '' };
  const service = asked.service === '' ? undefined : findOne(view, 'service', asked.service);
  const node =
    asked.node === '' ? undefined : findOne(view, 'node', asked.node === 'self' ? local.nodeId : asked.node);
  const context = { view, balancers: manager.leading.endpoints, knowledge: plainNodes };
  const question = {
    ...(service ? { service } : {}),
    ...(node ? { node } : {}),
    hostAddresses: systemAddresses(),
  };
  call.json(200, diagnosisJson(await diagnose(context, question, call.signal)));
};

/** The same on a host that manages no swarm: a worker's swarmd looks at its own node, and says who knows of the others. */
export const workersDoctor: DaemonHandler = async (call, { balancing, engine }) => {
  const service = call.query.get('service') ?? '';
  const found = await balancing.examineWorker(service);
  if (!found) throw new SwarmError('no-manager', NO_MANAGER);
  const { place, mode } = found;
  const { nodeId } = place;
  const hostname = (await hostnameOf(engine)) || nodeId;
  const command = `swarm network doctor${service === '' ? '' : ` ${service}`}`;
  const others = `run "${command}" on the host of a manager${managersOf(place)}`;
  const node = call.query.get('node') ?? '';
  if (node !== '' && node !== 'self' && node !== hostname && !nodeId.startsWith(node))
    throw new SwarmError(
      'no-manager',
      `A worker's swarmd can only look at its own node: to look at ${node}, ${others}`,
    );
  const text = `This host manages no swarm: its swarmd has looked at this node alone. To look at all, ${others}`;
  const findings: DoctorFinding[] = [{ verdict: 'warning', subject: 'other nodes', text }, ...found.findings];
  const own = {
    id: nodeId,
    hostname,
    state: 'unknown',
    availability: 'active',
    balancing: mode,
    findings,
  } as const;
  call.json(200, diagnosisJson({ findings: [], nodes: [own] }));
};

/** '' where the engine does not tell. */
async function hostnameOf(engine: LocalEngine): Promise<string> {
  const options = { signal: AbortSignal.timeout(HOSTNAME_MS) };
  const info = await engine.json('GET', '/info', undefined, options).catch(() => undefined);
  return asString(asObject(info?.value).Name);
}

/** ` (10.0.0.1, 10.0.0.2)`; '' where none is known. */
function managersOf({ managers }: WorkerPlace): string {
  const hosts = managers.slice(0, MOST_NAMED).map((one) => one.replace(/:\d+$/, ''));
  return hosts.length === 0 ? '' : ` (${hosts.join(', ')})`;
}

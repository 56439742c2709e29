import { createLog } from '../../src/base/log.ts';
import { issueManagerCertificate } from '../../src/ca/index.ts';
import type { NodeRole } from '../../src/model/index.ts';
import {
  startSwarmPort,
  type ManagerPlace,
  type SwarmCredentials,
  type SwarmPort,
  type SwarmPortOptions,
} from '../../src/swarmkit/index.ts';
import type { TestSwarm } from './test-swarm.ts';

export interface TestFollowerOptions extends Partial<Pick<SwarmPortOptions, 'relayTimes' | 'relaysMax'>> {
  readonly nodeId?: string;
  /** Its row's; manager if nothing is said. */
  readonly role?: NodeRole;
}

/** The port of a manager that does not lead, over the state of one that does. */
export interface TestFollower extends AsyncDisposable {
  readonly nodeId: string;
  readonly port: SwarmPort;
  readonly addr: string;
  readonly place: ManagerPlace;
  readonly credentials: SwarmCredentials;
  readonly lines: readonly string[];
}

/** Adds the row of a manager and opens its port, which relays to nobody yet. */
export async function startTestFollower(
  swarm: TestSwarm,
  { nodeId = 'manager1', role = 'manager', ...options }: TestFollowerOptions = {},
): Promise<TestFollower> {
  const lines: string[] = [];
  await swarm.store.update((tx) => {
    tx.create('node', {
      id: nodeId,
      spec: { annotations: { name: '', labels: {} }, role, availability: 'active' },
      role,
      status: { state: 'unknown', message: '', addr: '' },
      certificate: { csrPem: '', certPem: '', state: 'issued' },
      attachments: [],
    });
  });
  const credentials = await issueManagerCertificate(swarm.cluster(), nodeId, Date.now());
  const port = await startSwarmPort({
    listen: { host: '127.0.0.1', port: 0 },
    credentials,
    isManager: (id) => id === 'manager0' || swarm.store.view.get('node', id)?.role === 'manager',
    log: createLog('debug', { write: (text) => lines.push(text) }),
    ...options,
  });
  const addr = `127.0.0.1:${port.port}`;
  return {
    ...{ nodeId, port, addr, credentials, lines, place: { nodeId, addr } },
    [Symbol.asyncDispose]: () => port.close(0),
  };
}

import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { clientAddressTests } from './client-address.ts';
import { doctorTests } from './doctor.ts';
import { kernelTests } from './kernel-parts.ts';
import { meshTests } from './mesh.ts';
import { sctpTests } from './sctp.ts';
import { startNetworkSwarm, type NetworkSwarm } from './network-swarm.ts';

/** Virtual IPs and the routing mesh on three hosts that balance and a plain one; the third and its like are of today. */
let swarm: NetworkSwarm | undefined;

beforeAll(async () => {
  swarm = await startNetworkSwarm({ swarmd: 3, plain: 1 });
});
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(swarm?.story());
});
afterAll(async () => {
  await swarm?.[Symbol.asyncDispose]();
});

function get(): NetworkSwarm {
  if (!swarm) throw new Error('there is no swarm');
  return swarm;
}

describe('the mesh and virtual IPs', () => meshTests(get));
describe('SCTP', () => sctpTests(get));
describe('kernels', () => kernelTests(get));
describe("the client's address", () => clientAddressTests(get));
describe('the doctor', () => doctorTests(get));

import { afterAll, beforeAll } from 'vitest';
import { doctorTests } from './doctor.ts';
import { startNetworkSwarm, type NetworkSwarm } from './network-swarm.ts';

let swarm: NetworkSwarm | undefined;

beforeAll(async () => {
  swarm = await startNetworkSwarm({ swarmd: 2, plain: 1 });
});
afterAll(async () => {
  await swarm?.[Symbol.asyncDispose]();
});

doctorTests(() => {
  if (!swarm) throw new Error('there is no swarm');
  return swarm;
});

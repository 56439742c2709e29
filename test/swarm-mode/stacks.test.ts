import { afterAll, beforeAll, describe } from 'vitest';
import { ServiceSwarm } from './services/service-swarm.ts';
import { networkTests } from './stacks/networks.ts';
import { portTests } from './stacks/ports.ts';
import { stackTests } from './stacks/stack.ts';

/** Networks, published ports and stacks on one swarm of three engines. */
let swarm: ServiceSwarm | undefined;

beforeAll(async () => {
  swarm = await ServiceSwarm.start();
});
afterAll(async () => {
  await swarm?.[Symbol.asyncDispose]();
});

function get(): ServiceSwarm {
  if (!swarm) throw new Error('there is no swarm');
  return swarm;
}

// Each takes seconds; all at once on a busy machine take longer.
describe('side by side', { timeout: 180_000 }, () => {
  networkTests(get);
  portTests(get);
  stackTests(get);
});

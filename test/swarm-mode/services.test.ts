import { afterAll, beforeAll, describe } from 'vitest';
import { containerTests } from './services/containers.ts';
import { dataTests } from './services/data.ts';
import { failureTests } from './services/failures.ts';
import { jobTests } from './services/jobs.ts';
import { logTests } from './services/logs.ts';
import { nodeTests } from './services/nodes.ts';
import { refusalTests } from './services/refusals.ts';
import { ServiceSwarm } from './services/service-swarm.ts';
import { updateTests } from './services/updates.ts';

/** The life of services on one swarm of three engines. */
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

/** What leaves the nodes alone goes side by side, as much of it as two cores can carry. */
describe('updates, and tasks that fail', () => {
  updateTests(get);
  failureTests(get);
});

describe('what tasks are given, and what is refused', () => {
  containerTests(get);
  dataTests(get);
  refusalTests(get);
});

describe('logs and jobs', () => {
  logTests(get);
  jobTests(get);
});

describe('nodes, one after the other', () => nodeTests(get));

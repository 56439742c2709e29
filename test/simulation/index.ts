/** A cluster without engines, in fake time. */
export { endsAfter, FAILS_AT_ONCE, HANGS, REJECTED, RUNS, type Behaviour } from './behaviour.ts';
export { FakeTimes } from './fake-times.ts';
export {
  clusterFixture,
  containerFixture,
  nodeFixture,
  serviceFixture,
  type NodeWishes,
  type ServiceWishes,
} from './fixtures.ts';
export {
  fakeContext,
  fakeStore,
  SimulatedCluster,
  type Loop,
  type SimulationOptions,
} from './simulated-cluster.ts';

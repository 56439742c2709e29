// A process that is told something new all the time, and remembers it until it is killed. Its argument is the file; it prints
// each number that it was told.
import { MONOTONIC } from '../../base/clock.ts';
import { createLog } from '../../base/log.ts';
import type { EndpointsSource, EndpointsUpdate, ServiceEndpoints } from '../../model/index.ts';
import { RememberedSource } from '../remembered-source.ts';

const EVERY_MS = 5;
const SERVICES = 200;

/** Its name tells the number. */
function service(id: number, number: number): ServiceEndpoints {
  return {
    ...{
      networkId: 'net',
      serviceId: `s${id}`,
      name: `${number}`,
      virtualIp: '10.0.1.2',
      keepClients: false,
    },
    ...{ ports: [], backends: [] },
  };
}

async function* updates(signal: AbortSignal): AsyncGenerator<EndpointsUpdate> {
  const nothing = { networks: [], goneNetworks: [], goneServices: [], questions: [] };
  const all = Array.from({ length: SERVICES }, (_, id) => service(id, 0));
  yield { ...nothing, version: 1, full: true, services: all };
  for (let number = 1; !signal.aborted; number++) {
    await MONOTONIC.pause(EVERY_MS, signal);
    yield { ...nothing, version: number + 1, full: false, services: [service(number % SERVICES, number)] };
  }
}

const live: EndpointsSource = {
  watch: updates,
  report: () => Promise.resolve(),
  answer: () => Promise.resolve(),
};
const source = new RememberedSource({
  live,
  path: process.argv[2] ?? '',
  place: () => ({ clusterId: 'c', nodeId: 'n', managers: ['192.0.2.1:2377'], dataRoot: '/var/lib/docker' }),
  touched: () => true,
  clock: MONOTONIC,
  log: createLog('fatal'),
});
for await (const { version } of source.watch(new AbortController().signal))
  process.stdout.write(`${version - 1}\n`);

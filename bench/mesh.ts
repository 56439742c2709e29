/**
 * What virtual IPs and the routing mesh let through, next to the overlay path that they use and to proxies at the same
 * place. Three real hosts, one task; each round measures every way in turn. Run as root: `npm run bench -- mesh`.
 *
 *   bench/mesh.ts [--rounds 9] [--seconds 1]
 *
 * Aims: a virtual IP at least 0.95 of a direct connection over the overlay; the mesh, through a node without a task, at
 * least 0.9 of the plain path.
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { startNetworkSwarm } from '../test/networks/network-swarm.ts';
import { runAt } from '../test/networks/places.ts';
import { figuresOf } from './figures.ts';
import { isOpen, layWays, TRAFFIC, type Path, type Ways } from './mesh-paths.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '9' }, seconds: { type: 'string', default: '1' } },
});
const ROUNDS = Number(values.rounds);

/** What is measured on each way, with the unit's size. */
const MEASURES = [
  { name: 'MB/s, 1 stream', what: 'streams', count: 1, unit: 1e6 },
  { name: 'MB/s, 4 streams', what: 'streams', count: 4, unit: 1e6 },
  { name: 'connections/s', what: 'connects', count: 8, unit: 1 },
] as const;
type Measure = (typeof MEASURES)[number];

async function measure({ from, address, port }: Path, { what, count, unit }: Measure): Promise<number> {
  const args = [what, address, `${port}`, `${count}`, values.seconds];
  const [amount = NaN, seconds = NaN] = (await runAt(from, 'perl', TRAFFIC, ...args)).split(' ').map(Number);
  return amount / seconds / unit;
}

/** By way and measure, a figure a round. */
async function rounds(ways: readonly Path[]): Promise<Map<Path, Map<Measure, number[]>>> {
  const found = new Map(ways.map((way) => [way, new Map(MEASURES.map((one) => [one, [] as number[]]))]));
  for (let round = 0; round < ROUNDS; round += 1)
    for (const one of MEASURES)
      for (let turn = 0; turn < ways.length; turn += 1) {
        const way = ways[(round + turn) % ways.length];
        if (way)
          found
            .get(way)
            ?.get(one)
            ?.push(await measure(way, one));
      }
  return found;
}

function show({ direct, virtualIp, overlayLeg, routed, mesh, haproxy, nodeProxy }: Ways) {
  const bases: readonly (readonly [Path, Path, string])[] = [
    [direct, direct, ''],
    [virtualIp, direct, 'at least 0.95'],
    [routed, routed, ''],
    [overlayLeg, routed, ''],
    [mesh, routed, 'at least 0.9'],
    [haproxy, routed, ''],
    [nodeProxy, routed, ''],
  ];
  return (found: Awaited<ReturnType<typeof rounds>>): void => {
    console.log(`${'way'.padEnd(18)} ${MEASURES.map(({ name }) => name.padEnd(28)).join(' ')} aim`);
    for (const [way, base, aim] of bases) {
      const columns = MEASURES.map((one) => {
        const [all = [], of = []] = [found.get(way)?.get(one), found.get(base)?.get(one)];
        const [median, other] = [figuresOf(all).p50Ms, figuresOf(of).p50Ms];
        const range = `${Math.min(...all).toFixed(0)}-${Math.max(...all).toFixed(0)}`;
        return `${median.toFixed(0).padStart(6)} ${`(${range})`.padEnd(14)} ${(median / other).toFixed(2)}`.padEnd(
          28,
        );
      });
      console.log(`${way.name.padEnd(18)} ${columns.join(' ')} ${aim}`);
    }
  };
}

const load = (): string => loadavg()[0]?.toFixed(1) ?? '';
await using swarm = await startNetworkSwarm({ engines: ['20.10', '20.10', '28.5'] });
const ways = await layWays(swarm);
const all = Object.values(ways) as Path[];
for (const way of all) await isOpen(way);
const before = load();
const found = await rounds(all);
console.log(`${ROUNDS} rounds of ${values.seconds} s; median (range) and ratio of medians`);
console.log(`load of the machine: ${before} before, ${load()} with this`);
show(ways)(found);

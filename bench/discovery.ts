/**
 * A thousand engines that join at once through etcd: how long a watch lags behind the last registration, and what one
 * `swarm join` takes of memory. `npm run bench -- discovery`. To compare: etcdctl writing the same keys one by one with
 * as many at a time, one read of all keys, and an idle Node.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { eachLimited } from '../src/base/async.ts';
import { openDiscovery, parseDiscovery, type Discovery } from '../src/discovery/index.ts';
import { until } from '../test/hosts/index.ts';
import { startEtcd } from '../test/stores/etcd.ts';
import { timed } from './figures.ts';

const ENGINES = 1_000;
const AT_ONCE = 50;
const TTL_MS = 180_000;

await using etcd = await startEtcd();
const argument = `etcd://${etcd.endpoint}/bench`;
const addresses = Array.from({ length: ENGINES }, (_, at) => `10.1.${at >> 8}.${at & 255}:2375`);
const signal = AbortSignal.timeout(600_000);

const open = async (): Promise<Discovery> => openDiscovery(parseDiscovery(argument), { heartbeatMs: 60_000 });

/** Every engine has an agent of its own, so each registration opens a discovery of its own. */
async function joinAll(): Promise<number> {
  const agents: Discovery[] = await Promise.all(addresses.map(() => open()));
  const took = await timed(() =>
    eachLimited(
      agents.map((agent, at) => ({ agent, address: addresses[at] ?? '' })),
      AT_ONCE,
      ({ agent, address }) => agent.register(address, { ttlMs: TTL_MS, signal }),
    ),
  );
  for (const agent of agents) await agent.close?.();
  return took;
}

const stop = new AbortController();
const watcher = await open();
let known = 0;
let lists = 0;
let changedAt = 0;
const watching = (async () => {
  for await (const event of watcher.watch({ signal: stop.signal })) {
    lists += 1;
    if (event.kind !== 'entries') continue;
    if (event.entries.length !== known) changedAt = performance.now();
    known = event.entries.length;
  }
})();

console.log(`${ENGINES} engines, ${AT_ONCE} at a time, one etcd`);
console.log('round     registered s   complete after the last ms   lists');
for (const round of ['first', 'restart']) {
  lists = 0;
  const tookMs = await joinAll();
  const doneAt = performance.now();
  await until('the whole list', 60_000, () => (known === ENGINES ? true : undefined));
  const lagMs = Math.max(0, changedAt - doneAt);
  console.log(
    `${round.padEnd(10)}${(tookMs / 1000).toFixed(2).padStart(12)}${lagMs.toFixed(0).padStart(29)}${String(lists).padStart(8)}`,
  );
}
const reader = await open();
await reader.list({ signal });
console.log(`one list of all: ${(await timed(() => reader.list({ signal }))).toFixed(1)} ms`);
console.log(
  `etcdctl, the same read: ${(await timed(() => etcd.etcdctl('get', '--prefix', 'bench/'))).toFixed(1)} ms`,
);
stop.abort();
await watching;
await watcher.close?.();
await reader.close?.();

console.log('\nmemory of one process, resident');
const swarm = fileURLToPath(new URL('../bin/swarm', import.meta.url));
const idle = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
const join = spawn(swarm, ['join', '--advertise', '127.0.0.1:1', '--heartbeat', '1s', argument], {
  stdio: ['ignore', 'pipe', 'ignore'],
});
try {
  await once(join.stdout, 'data');
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  console.log(`idle Node ${rssMb(idle)} MB, swarm join ${rssMb(join)} MB (aim: below 70)`);
} finally {
  idle.kill();
  join.kill();
}

function rssMb(child: ChildProcess): string {
  const status = readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8');
  return (Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024).toFixed(0);
}

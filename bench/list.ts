/**
 * `ps -a` from a warm index over simulated engines: latency of the whole answer, and the manager's memory.
 * `npm run bench -- list`. To compare: the Go original published 150 ms at p50 for `info` over 30,000 containers.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startSwarm } from '../test/virtual-host/manager.ts';
import { Client, figuresOf, ms, timed } from './figures.ts';

const CASES = [
  { engines: 50, containers: 1_000 },
  { engines: 330, containers: 9_900 },
  { engines: 1_000, containers: 30_000 },
];
const ROUNDS = 40;

async function startEngines(
  engines: number,
  containers: number,
): Promise<{ child: ChildProcess; addresses: string }> {
  const main = fileURLToPath(new URL('./fake-engines-main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, String(engines), String(containers)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  for await (const chunk of child.stdout) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  return { child, addresses: text.trim() };
}

function rssMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

const folder = mkdtempSync(join(tmpdir(), 'skep-bench-'));
try {
  console.log('engines  containers  ready s   ps -a p50/p99 ms   MB answer  info p50/p99 ms   memory MB');
  for (const { engines, containers } of CASES) {
    const fake = await startEngines(engines, containers);
    try {
      const file = join(folder, `engines-${engines}`);
      writeFileSync(file, fake.addresses.split(',').join('\n'));
      const from = performance.now();
      const swarm = await startSwarm(undefined, { discovery: `file://${file}`, healthy: engines });
      const readyS = (performance.now() - from) / 1000;
      try {
        const client = new Client(swarm.url);
        let bytes = 0;
        const lists: number[] = [];
        const infos: number[] = [];
        for (let round = 0; round < ROUNDS; round += 1) {
          lists.push(
            await timed(
              async () => (bytes = (await client.call('GET', '/containers/json?all=1')).body.length),
            ),
          );
          infos.push(await timed(() => client.call('GET', '/info')));
        }
        const [l, i] = [figuresOf(lists), figuresOf(infos)];
        console.log(
          [
            String(engines).padEnd(8),
            String(containers).padEnd(11),
            readyS.toFixed(1).padEnd(9),
            `${ms(l.p50Ms)}/${ms(l.p99Ms)}`.padEnd(18),
            (bytes / 1e6).toFixed(1).padEnd(10),
            `${ms(i.p50Ms)}/${ms(i.p99Ms)}`.padEnd(17),
            rssMb(swarm.pid).toFixed(0),
          ].join(' '),
        );
        client.close();
      } finally {
        await swarm.stop();
      }
    } finally {
      fake.child.kill('SIGTERM');
      await once(fake.child, 'exit');
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}

/**
 * From the loss of a node's power to its container running on another node, against twice the time that the options
 * give the manager to notice. Run as root: `npm run bench -- rescheduling`.
 */
import { detectionMs } from '../src/virtual-host/pool/detection.ts';
import { startHosts, until, type Host } from '../test/hosts/index.ts';
import { startSwarm } from '../test/virtual-host/manager.ts';

interface Options {
  readonly refreshMinS: number;
  readonly refreshMaxS: number;
  readonly failureRetry: number;
  readonly rounds: number;
}

/** What a user may set for a quick failover, and what nobody sets. */
const SETTINGS: readonly Options[] = [
  { refreshMinS: 1, refreshMaxS: 2, failureRetry: 2, rounds: 3 },
  { refreshMinS: 5, refreshMaxS: 10, failureRetry: 3, rounds: 2 },
  { refreshMinS: 30, refreshMaxS: 60, failureRetry: 3, rounds: 1 },
];
const MOVES = ['-e', 'reschedule:on-node-failure'];

const hosts = await startHosts({ count: 3, disks: 'disk' });

function hostNamed(name: string): Host {
  for (const host of hosts) if (host.name === name) return host;
  throw new Error(`no host ${name}`);
}

async function measure({ refreshMinS, refreshMaxS, failureRetry, rounds }: Options): Promise<void> {
  const args = [
    `--engine-refresh-min-interval=${refreshMinS}s`,
    `--engine-refresh-max-interval=${refreshMaxS}s`,
    `--engine-failure-retry=${failureRetry}`,
  ];
  const settings = {
    overcommit: 0,
    refreshMinMs: refreshMinS * 1000,
    refreshMaxMs: refreshMaxS * 1000,
    failureRetry,
  };
  const aimMs = 2 * detectionMs(settings);
  await using swarm = await startSwarm(hosts, { args });
  const tookMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await swarm.docker('run', '-d', '--name', 'web', ...MOVES, 'nginx');
    const nodeOfWeb = async (): Promise<string> =>
      (await swarm.docker('ps', '--filter', 'name=web', '--format', '{{.Names}}')).split('/')[0] ?? '';
    const from = await nodeOfWeb();
    const host = hostNamed(from);
    const cutMs = performance.now();
    await host.powerOff();
    await until('the container elsewhere', 3 * aimMs, async () => {
      const node = await nodeOfWeb();
      return node !== '' && node !== from ? true : undefined;
    });
    tookMs.push(performance.now() - cutMs);
    await host.powerOn();
    await until('the duplicate gone', 3 * aimMs, async () =>
      (await host.docker('ps', '-aq')) === '' ? true : undefined,
    );
    await swarm.docker('rm', '-f', 'web');
  }
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  console.log(
    `refresh ${refreshMinS}–${refreshMaxS} s, ${failureRetry} failures: ${tookMs.map(seconds).join(', ')} ` +
      `(aim: below ${seconds(aimMs)})`,
  );
}

try {
  console.log('from the loss of power to the container running on another node');
  for (const options of SETTINGS) await measure(options);
} finally {
  await hosts.close();
}

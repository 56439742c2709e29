import { expect, test } from 'vitest';
import { canEncrypt, hasIpvs } from '../../src/balancer/index.ts';
import { startNetworkSwarm, type NetworkSwarm } from './network-swarm.ts';
import { outside } from './places.ts';

const ENCRYPTS = (await canEncrypt()) === true;
const MANY_MS = 120_000;

/** What only some kernels can: tried there, and named as not run elsewhere. */
export function kernelTests(get: () => NetworkSwarm): void {
  onKernels(hasIpvs(), 'no IPVS', 'the engines balance by IPVS where the kernel has it', () =>
    meshAnswers(get(), 8181),
  );

  onKernels(hasIpvs(), 'no IPVS', 'swarmd balances beside IPVS where it is told to', async () => {
    await using swarm = await startNetworkSwarm({ swarmd: 2, swarmdArgs: ['--balancer', 'nftables'] });
    await meshAnswers(swarm, 8182);
    expect(await swarm.at(0).exec('nft', 'list', 'tables')).toContain('skep');
  });

  onKernels(ENCRYPTS, 'no ESP with AES-GCM', 'traffic over an encrypted overlay', async () => {
    const swarm = get();
    await swarm.docker(
      'network',
      'create',
      '--driver',
      'overlay',
      '--attachable',
      '--opt',
      'encrypted',
      'dark',
    );
    await swarm.serve('hidden', ['--network', 'dark', '--mode', 'global']);
    const page = 'http://hidden/';
    for (const host of swarm.balancing)
      expect(await host.docker('run', '--rm', '--network', 'dark', 'busybox', 'wget', '-qO-', page)).not.toBe(
        '',
      );
    await swarm.remove('hidden');
  });
}

function onKernels(can: boolean, lacks: string, title: string, run: () => Promise<void>): void {
  if (can) test(title, run, MANY_MS);
  else test.skip(`not run: ${title}: this kernel has ${lacks}`);
}

async function meshAnswers(swarm: NetworkSwarm, port: number): Promise<void> {
  const name = `mesh-${port}`;
  await swarm.serve(name, ['--replicas', '2', '-p', `${port}:80`]);
  const tasks = await swarm.running(name, 2);
  for (const { ip } of swarm.balancing) await swarm.answeredBy(outside, `http://${ip}:${port}/`, tasks);
  await swarm.remove(name);
}

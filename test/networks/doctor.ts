import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { runHere } from '../cli/in-process.ts';
import type { Run } from '../cli/swarm-process.ts';
import type { Host } from '../hosts/index.ts';
import { eventually } from '../swarm-mode/services/service-swarm.ts';
import type { NetworkSwarm } from './network-swarm.ts';
import { onHost, outside, tryFetch } from './places.ts';

/** Several things are waited for, each with a deadline of its own. */
const TEST_MS = 150_000;

/** A node's block without a fault. */
const WELL = /: balanced by swarmd \(nftables\)\n(?![^]*FAULT)/;

/** What `swarm network doctor` and `docker service create` say. `get` gives the swarm: its last host is plain. */
export function doctorTests(get: () => NetworkSwarm): void {
  const plain = (): Host => get().at(get().hosts.all.length - 1);

  /** The doctor's words, node by node. */
  async function examine(
    ...args: string[]
  ): Promise<{ readonly run: Run; readonly nodes: Map<string, string> }> {
    const run = await runHere(['network', 'doctor', '-H', `unix://${get().swarmd.socket}`, ...args]);
    const blocks = run.stdout.split('\n\n').filter((block) => block.startsWith('NODE '));
    return { run, nodes: new Map(blocks.map((block) => [/^NODE ([^:]*):/.exec(block)?.[1] ?? '', block])) };
  }

  /** Waits until the doctor says that of a node. */
  async function says(service: string, { name }: Host, words: RegExp): Promise<void> {
    let last = '';
    await eventually(`the doctor says ${String(words)} of ${name}`, async () => {
      last = (await examine(service)).nodes.get(name) ?? '';
      return words.test(last) || undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${last}`, { cause: error });
    });
  }

  /** Creates a service by the docker CLI: what it warns of. */
  async function warnings(name: string, ...options: string[]): Promise<string> {
    const usual = ['--no-resolve-image', '--stop-signal', 'SIGKILL', '--replicas', '2', '-d'];
    const args = ['service', 'create', '--name', name, ...usual, ...options, 'responder'];
    const { code, stderr } = await get().swarmd.tryDocker(args);
    expect(code, stderr).toBe(0);
    return stderr;
  }

  test(
    'a plain node is named when a port is published, and known once it was seen not to answer',
    async () => {
      const swarm = get();
      await swarm.docker('network', 'create', '--driver', 'overlay', 'watched');
      const said = await warnings('looked-at', '--network', 'watched', '-p', '8400:80');
      const who = `node ${plain().name}: `;
      expect(said).toMatch(new RegExp(`Published port 8400/tcp will (probably )?not be answered by ${who}`));
      expect(said).toMatch(
        new RegExp(`virtual IP on watched will (probably )?not answer containers on ${who}`),
      );
      for (const { name } of swarm.balancing) expect(said).not.toContain(name);
      const tasks = await swarm.running('looked-at', 2);
      await says('looked-at', plain(), /: balanced by nothing\n {2}FAULT +balancer /);
      const { run, nodes } = await examine('looked-at');
      for (const { Name, Node } of tasks)
        expect(run.stdout).toMatch(new RegExp(`^ {2}${Name} +${Node} +running +10\\.`, 'm'));
      expect([...nodes.keys()].sort()).toEqual(swarm.hosts.all.map(({ name }) => name).sort());
      expect(run).toMatchObject({ code: 1, stderr: '' });
      expect(await warnings('known', '-p', '8401:80')).toContain(
        `Published port 8401/tcp will not be answered by ${who}`,
      );
      await swarm.remove('known');
      // What is well is well: on every node that balances, and for the service as a whole.
      for (const host of swarm.balancing) await says('looked-at', host, WELL);
      await eventually('no fault on a node alone', async () => {
        return (await examine('--node', swarm.at(1).name, 'looked-at')).run.code === 0 || undefined;
      });
    },
    TEST_MS,
  );

  test(
    'a port that something on a host listens on is named, and answers when it is free',
    async () => {
      const swarm = get();
      const [manager, worker] = [swarm.at(0), swarm.at(1)];
      const listeners = [await listen(manager, 8410), await listen(worker, 8410)];
      try {
        const said = await warnings('disturbed', '-p', '8410:80');
        expect(said).toMatch(
          new RegExp(
            `Published port 8410/tcp will not be answered by node ${manager.name}: \\S+ \\(process \\d+\\)`,
          ),
        );
        await swarm.running('disturbed', 2);
        for (const host of [manager, worker]) await says('disturbed', host, /FAULT +port 8410\/tcp /);
      } finally {
        for (const stop of listeners) await stop();
      }
      for (const host of [manager, worker]) await says('disturbed', host, WELL);
      for (const { ip } of swarm.balancing)
        await eventually(`${ip}:8410 answers`, async () => {
          return (await tryFetch(outside, `http://${ip}:8410/`)).code === 0 || undefined;
        });
      await swarm.remove('disturbed');
    },
    TEST_MS,
  );

  test(
    "what an owner's firewall drops, and a kernel that does not forward, are named",
    async () => {
      const worker = get().at(1);
      const forward = (value: 0 | 1): Promise<string> =>
        worker.exec('sh', '-c', `echo ${value} > /proc/sys/net/ipv4/ip_forward`);
      const rule = ['DOCKER-USER', '-p', 'tcp', '--dport', '8400', '-j', 'DROP'];
      const page = `http://${worker.ip}:8400/`;
      expect((await tryFetch(outside, page)).code).toBe(0);
      await worker.exec('iptables', '-I', ...rule);
      try {
        expect((await tryFetch(outside, page)).code).not.toBe(0);
        await says(
          'looked-at',
          worker,
          /FAULT +firewall +What comes for published port 8400\/tcp is dropped by /,
        );
      } finally {
        await worker.exec('iptables', '-D', ...rule);
      }
      await worker.exec(
        'nft',
        'add table inet fw; add chain inet fw f { type filter hook forward priority 0; policy drop; }',
      );
      try {
        expect((await tryFetch(outside, page)).code).not.toBe(0);
        await says('looked-at', worker, /FAULT +firewall .* the policy drop of nft's chain inet fw f: /);
      } finally {
        await worker.exec('nft', 'delete table inet fw');
      }
      await forward(0);
      try {
        await says('looked-at', worker, /FAULT +forwarding +The kernel does not forward /);
      } finally {
        await forward(1);
      }
      await says('looked-at', worker, WELL);
      expect((await tryFetch(outside, page)).code).toBe(0);
    },
    TEST_MS,
  );

  test(
    'a node whose swarmd does not answer is said to, and others are looked at all the same',
    async () => {
      const swarm = get();
      const silent = swarm.swarmds[1];
      if (!silent) throw new Error('there is no second swarmd');
      silent.pause();
      try {
        await eventually('the silent one is a fault, and no other that balances', async () => {
          const { nodes } = await examine('looked-at');
          const silence = /FAULT +balancer +swarmd there did not answer within/.test(
            nodes.get(silent.host.name) ?? '',
          );
          return (silence && WELL.test(nodes.get(swarm.at(0).name) ?? '')) || undefined;
        });
      } finally {
        silent.resume();
      }
      await swarm.remove('looked-at');
      await swarm.docker('network', 'rm', 'watched');
    },
    TEST_MS,
  );

  test("on a worker's host it looks at that alone, and says who knows of the others", async () => {
    const swarm = get();
    const worker = swarm.swarmds[1];
    const { stdout } = await runHere(['network', 'doctor', '-H', `unix://${worker?.socket ?? ''}`]);
    expect(stdout).toContain(`NODE ${worker?.host.name}: unknown, balanced by swarmd (nftables)\n`);
    expect(stdout).toContain(`run "swarm network doctor" on the host of a manager (${swarm.at(0).ip})`);
    expect(stdout).toMatch(/ok +rules of this host /);
  });
}

/** Something on a host that listens on a port, until its input ends; returns what ends it. */
async function listen(host: Host, port: number): Promise<() => Promise<void>> {
  const script =
    `use IO::Socket::INET; $| = 1; my $s = IO::Socket::INET->new(LocalPort => ${port}, Listen => 1) or die; ` +
    'print "up\\n"; <STDIN>';
  const [program = '', ...entry] = onHost(host);
  const child = spawn(program, [...entry, 'perl', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const up = await Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)]);
  if (!up) throw new Error(`nothing listens on ${host.name}`);
  return async () => {
    child.stdin.end();
    await ended;
  };
}

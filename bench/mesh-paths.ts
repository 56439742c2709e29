import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { until, type Host } from '../test/hosts/index.ts';
import type { NetworkSwarm } from '../test/networks/network-swarm.ts';
import { at, inContainer, inNamespace, onHost, runAt, type Place } from '../test/networks/places.ts';

/** One way to the one task that there is. */
export interface Path {
  readonly name: string;
  readonly from: Place;
  readonly address: string;
  readonly port: number;
}

export interface Ways {
  readonly direct: Path;
  readonly virtualIp: Path;
  /** The overlay's part of the mesh's way by itself: from the entry node's mesh sandbox. */
  readonly overlayLeg: Path;
  /** The whole of the mesh's way by plain routing, without translations. */
  readonly routed: Path;
  readonly mesh: Path;
  readonly haproxy: Path;
  readonly nodeProxy: Path;
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
export const TRAFFIC = here('traffic.pl');
const PROXY = here('tcp-proxy-main.ts');
const TARGET = 5201;
const PUBLISHED = 8080;
const HAPROXY = 8081;
const NODE_PROXY = 8082;
/** More than there ever are connections at once. */
const WORKERS = 32;
const SLEEP = ['busybox', 'sleep', '1000000'];
const SANDBOX = '/var/run/docker/netns/ingress_sbox';

/**
 * A task on the second host, clients on the first, and the third, which has no task, as the entry: its mesh, and two
 * proxies in the network of a container whose ports its engine publishes. All of it ends with the hosts.
 */
export async function layWays(swarm: NetworkSwarm): Promise<Ways> {
  const [near, far, entry] = [swarm.at(0), swarm.at(1), swarm.at(2)];
  await swarm.docker('network', 'create', '--driver', 'overlay', '--attachable', 'my-net');
  const published = ['-p', `${PUBLISHED}:${TARGET}`, '--constraint', `node.hostname==${far.name}`];
  await swarm.create('sink', ['--network', 'my-net', ...published], ...SLEEP);
  const [task] = await swarm.running('sink', 1);
  if (!task) throw new Error('there is no task');
  const inTask = await swarm.inTask(task);
  keepRunning(inTask, 'perl', TRAFFIC, 'serve', `${TARGET}`, `${WORKERS}`);
  const container = `${task.Name}.${task.ID}`;
  const [own, ingress] = await Promise.all([
    addressOn(far, container, 'my-net'),
    addressOn(far, container, 'ingress'),
  ]);
  const client = await attached(near, 'client', []);
  await startProxies(entry, own);
  await route(near, entry, inTask, ingress);
  const outside = onHost(near);
  const virtualIp = await swarm.virtualIp('sink', 'my-net');
  const through = (name: string, port: number): Path => ({ name, from: outside, address: entry.ip, port });
  const to = (name: string, from: Place, address: string): Path => ({ name, from, address, port: TARGET });
  return {
    direct: to('overlay, direct', client, own),
    virtualIp: to('virtual IP', client, virtualIp),
    overlayLeg: to('overlay leg alone', inNamespace(entry, SANDBOX), ingress),
    routed: to('same way, routed', outside, ingress),
    mesh: through('mesh', PUBLISHED),
    haproxy: through('haproxy', HAPROXY),
    nodeProxy: through('Node.js proxy', NODE_PROXY),
  };
}

/** Waits until it carries a connection. */
export async function isOpen({ name, from, address, port }: Path): Promise<void> {
  await until(`${name} is open`, 20_000, async () => {
    const { code, stderr } = await at(from, 'perl', TRAFFIC, 'connects', address, `${port}`, '1', '0.01');
    if (code !== 0) throw new Error(stderr);
    return true;
  });
}

/** Starts a process that stays until its host ends. */
function keepRunning(place: Place, ...command: string[]): void {
  const args = ['--pdeathsig', 'KILL', ...place, ...command];
  spawn('setpriv', args, { stdio: ['pipe', 'ignore', 'inherit'] }).unref();
}

async function addressOn(host: Host, container: string, network: string): Promise<string> {
  const format = `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`;
  return host.docker('inspect', '--format', format, container);
}

/** A container of that network which does nothing; gives its network. */
async function attached(host: Host, name: string, options: readonly string[]): Promise<Place> {
  await host.docker('run', '-d', '--name', name, '--network', 'my-net', ...options, ...SLEEP);
  return inContainer(host, name);
}

async function startProxies(entry: Host, task: string): Promise<void> {
  const ports = [HAPROXY, NODE_PROXY].flatMap((port) => ['-p', `${port}:${port}`]);
  // Proxies end connections themselves, so that the ports of one address would run out.
  const place = await attached(entry, 'entry', [...ports, '--sysctl', 'net.ipv4.tcp_tw_reuse=1']);
  const file = entry.runFile('haproxy.cfg');
  const timeouts = ['connect 5s', 'client 1m', 'server 1m'].map((one) => `timeout ${one}`);
  const listen = ['listen sink', `bind :${HAPROXY}`, `server task ${task}:${TARGET}`];
  writeFileSync(file, ['defaults', 'mode tcp', ...timeouts, ...listen, ''].join('\n'));
  keepRunning(place, 'haproxy', '-db', '-f', file);
  keepRunning(place, process.execPath, PROXY, `${NODE_PROXY}`, task, `${TARGET}`);
}

/** Lets what the first host sends to the task's ingress address take the mesh's way, and the answers come back by it. */
async function route(near: Host, entry: Host, inTask: Place, task: string): Promise<void> {
  const sandboxOn = async (network: string): Promise<string> => {
    const format = '{{(index .Containers "ingress-sbox").IPv4Address}}';
    return (await entry.docker('network', 'inspect', network, '--format', format)).replace(/\/.*/, '');
  };
  const [overlay, bridge] = await Promise.all([sandboxOn('ingress'), sandboxOn('docker_gwbridge')]);
  await near.exec('ip', 'route', 'add', task, 'via', entry.ip);
  await entry.exec('ip', 'route', 'add', task, 'via', bridge);
  for (const end of ['-s', '-d']) await entry.exec('iptables', '-I', 'FORWARD', end, task, '-j', 'ACCEPT');
  await runAt(inTask, 'ip', 'route', 'add', near.ip, 'via', overlay);
}

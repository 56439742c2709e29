import { basename } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PLATFORMS } from '../../image/recipe.ts';
import { startHosts, until, type Host, type Hosts } from '../hosts/index.ts';
import { Swarmd } from './swarmd.ts';

/** A dashboard's stack: it mounts Docker's socket on a manager, and finds a manager behind it. */
let hosts: Hosts;
let host: Host;
let swarmd: Swarmd;

beforeAll(async () => {
  hosts = await startHosts({ count: 1, dockerdEnv: { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' } });
  host = hosts.at(0);
  swarmd = await new Swarmd(host).start();
  await swarmd.docker('swarm', 'init', '--advertise-addr', host.ip);
});
afterAll(async () => {
  await swarmd?.kill();
  await hosts?.close();
});

const SOCKET = '/var/run/docker.sock';
/** The host's own docker CLI, in a container: it finds the socket where it always does. */
const stack = (socket: string): string => {
  const { loader, triplet } = PLATFORMS[process.arch] ?? { loader: '', triplet: '' };
  const libraries = `/host/usr/lib/${triplet}`;
  const docker = `${libraries}/${basename(loader)} --library-path ${libraries} /host/usr/bin/docker`;
  return `
version: "3.8"
services:
  dashboard:
    image: busybox
    command: ["sh", "-c", "${docker} service ls; sleep 3600"]
    volumes:
      - "/:/host:ro"
      - "${socket}:${SOCKET}"
    deploy:
      placement:
        constraints: ["node.role==manager"]
`;
};

test(`a stack that mounts ${SOCKET} on a manager sees the swarm's services`, async () => {
  const deployed = await swarmd.tryDocker(['stack', 'deploy', '-c', '-', 'watch'], {
    input: stack(swarmd.socket),
  });
  expect(deployed).toMatchObject({ code: 0, stderr: '' });
  const container = await until('the dashboard runs', 30_000, async () => {
    const [id] = (await host.docker('ps', '-q', '--filter', 'name=watch_dashboard')).split('\n');
    return id || undefined;
  });
  const said = await until('it has looked', 20_000, async () => {
    const { stdout, stderr } = await host.tryDocker('logs', container);
    return `${stdout}${stderr}`.includes('\n') ? stdout + stderr : undefined;
  });
  expect(said).toMatch(/watch_dashboard +replicated/);
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run, startHosts, until, type Host, type Hosts } from '../hosts/index.ts';
import { Swarmd } from '../swarm-mode/swarmd.ts';
import { swarmFolder } from './lasting-line.ts';
import { Page } from './page.ts';
import { mariadbArchive } from './mariadb-image.ts';
import { addMysql, mountShared, powerOn, tagStandIns } from './services-hosts.ts';
import { tryTyped, typed } from './shell-lines.ts';

/*
 * Four hosts, server-01 to server-04, with swarmd, one engine of today among them, and a folder that all of them share.
 * What is typed stands in docs/guides/services.md; each test goes on from the former.
 */
const SOON_MS = 30_000;
const MANY_MS = 90_000;
const page = new Page('services.md');
/** A folder with what the hosts may lack. */
const programs = mkdtempSync(join(tmpdir(), 'skep-guide-services-'));
const SOCKET = ['-H', 'unix:///run/swarmd.sock'];
let hosts: Hosts;
let manager: Host;
let workers: readonly Host[] = [];
/** The hosts' own, the manager's first. */
let swarmds: Swarmd[] = [];
/** The lost host's start. */
let returning: Promise<void> | undefined;

beforeAll(async () => {
  addMysql(programs);
  const database = await mariadbArchive();
  hosts = await startHosts({
    count: 4,
    prefix: 'server',
    engine: ['20.10', '20.10', '28.5', '20.10'],
    dockerdEnv: { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' },
    beforeEngines: (all) => each(all, mountShared),
  });
  manager = hosts.at(0);
  workers = [...hosts].slice(1);
  swarmds = [...hosts].map((host) => new Swarmd(host, { args: SOCKET }));
  await Promise.all([
    ...swarmds.map((swarmd) => swarmd.start()),
    each([...hosts], async (host) => {
      await host.loadImages(database);
      await tagStandIns(host);
    }),
  ]);
}, MANY_MS);

afterAll(async () => {
  await returning?.catch(() => undefined);
  await Promise.all(swarmds.map((swarmd) => swarmd.kill()));
  await hosts?.close();
  rmSync(programs, { recursive: true, force: true });
}, 60_000);

const each = async (all: readonly Host[], act: (host: Host) => Promise<unknown>): Promise<void> => {
  await Promise.all(all.map(act));
};

/** What is different here from the page. */
function here(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const subnet = manager.ip.replace(/\d+$/, '');
  const examples = fileURLToPath(new URL('../../examples', import.meta.url));
  return { ...more, '/opt/skep/examples': examples, '192.168.150.': subnet };
}

/** Types a line of the page on the manager's host, in the shell that its first part has set up. */
const types = (text: string, more?: Readonly<Record<string, string>>): Promise<string> =>
  typed(manager, inShell(page.line(text, here(more))), `${programs}:${swarmFolder}`);
const inShell = (line: string): string =>
  `${page.line('export DOCKER_HOST=unix:///run/swarmd.sock', {})}; ${line}`;
/** Looks at something, in words of the test. */
const look = (words: string): Promise<string> => typed(manager, inShell(`docker ${words}`));

const rows = async (words: string): Promise<string[]> => (await look(words)).split('\n').sort();
const nodesAre = (wanted: readonly string[]): Promise<true> =>
  until(`nodes ${wanted.join()}`, SOON_MS, async () => {
    const found = await rows("node ls --format '{{.Hostname}} {{.Status}}'");
    return found.join() === [...wanted].sort().join() ? true : undefined;
  });
const allReady = (): Promise<true> => nodesAre([...hosts].map(({ name }) => `${name} Ready`));
const replicas = (service: string, wanted: string): Promise<true> =>
  until(`${service} ${wanted}`, SOON_MS, async () => {
    const found = await look(`service ls --filter name=${service} --format '{{.Replicas}}'`);
    return found.startsWith(wanted) ? true : undefined;
  });
/** The host of a service's only task, once that runs. */
const hostOf = (service: string, not?: Host): Promise<Host> =>
  until(`${service} runs${not ? ` elsewhere than on ${not.name}` : ''}`, SOON_MS, async () => {
    const ps = `service ps ${service} --filter desired-state=running --format '{{.Node}} {{.CurrentState}}'`;
    const [name, state] = (await look(ps)).split(' ');
    return state === 'Running' && name !== not?.name
      ? [...hosts].find((host) => host.name === name)
      : undefined;
  });

test('init, join-token, join, node ls', async () => {
  expect(await types('docker version')).toContain('20.10');
  const said = await types('docker swarm init --advertise-addr 192.168.150.11');
  expect(said).toMatch(/^Swarm initialized: current node \(\w{25}\) is now a manager\./);
  const token = await types('docker swarm join-token -q worker');
  expect(await types('docker swarm join-token worker')).toContain(`--token ${token} ${manager.ip}:2377`);
  const join = page.line('docker swarm join --token SWMTKN-1-… 192.168.150.11:2377', {
    ...here(),
    'SWMTKN-1-…': token,
  });
  await each(workers, async (host) => {
    expect(await typed(host, inShell(join))).toBe('This node joined a swarm as a worker.');
  });
  await allReady();
  const list = (await types('docker node ls')).split('\n');
  expect(list[0]).toMatch(/^ID +HOSTNAME +STATUS +AVAILABILITY +MANAGER STATUS +ENGINE VERSION/);
  expect(list.filter((line) => /^\w{25} \* +server-01 +Ready +Active +Leader/.test(line))).toHaveLength(1);
  expect(list.filter((line) => /^\w{25} +server-0[2-4] +Ready +Active +\d/.test(line))).toHaveLength(3);
});

test('a second manager is refused, in words that say so', async () => {
  const line = page.line('docker node promote server-03', {});
  const { code, stderr } = await tryTyped(manager, inShell(line));
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/cannot become a manager/);
});

test('services are made, looked at and removed', firstServices, MANY_MS);

test(
  'a folder that all share: the same page on every host, and a configured database',
  async () => {
    await types(
      'mkdir -p /mnt/dockernfs/nginx-01 /mnt/dockernfs/mariadb-service-01/config /mnt/dockernfs/mariadb-service-01/data',
    );
    await types('echo HELLO NGINX USERS > /mnt/dockernfs/nginx-01/index.html');
    await types(
      "printf '[mysqld]\\nmax_connections=100\\n' > /mnt/dockernfs/mariadb-service-01/config/server.cnf",
    );
    await Promise.all([
      types(
        'docker service create --replicas 2 --name nginx-nfs-service-01 --mount type=bind,src=/mnt/dockernfs/nginx-01,dst=/usr/share/nginx/html,ro -p 80:80 nginx:1.12',
      ),
      types(
        'docker service create --replicas 1 --name mariadb-nfs-service-01 --mount type=bind,src=/mnt/dockernfs/mariadb-service-01/config,dst=/etc/mysql/conf.d --mount type=bind,src=/mnt/dockernfs/mariadb-service-01/data,dst=/var/lib/mysql -e MYSQL_ROOT_PASSWORD="P@ssw0rd" -p 3306:3306 --constraint node.role==worker mariadb:10.1',
      ),
      types(
        'docker service create --mode global --name apache-global-service-01 -p 8080:80 httpd:2.4-alpine',
      ),
      webOnItsNetwork(),
      withSecret(),
    ]);
    await fourAnswers();
    // A container that runs has not opened its port yet.
    await until('the database answers', SOON_MS, () =>
      types('mysql -h 192.168.150.14 -u root -p"P@ssw0rd" -e "CREATE DATABASE DockerDB;"'),
    );
    const variables = `mysql -h ${manager.ip} -u root -p'P@ssw0rd' -e "show variables like 'max_connections'"`;
    expect(await typed(manager, variables, programs)).toMatch(/max_connections\s+100/);
    await types('docker service update --label-add skep.mesh.keep-client-address=true nginx-nfs-service-01');
    await fourAnswers();
  },
  MANY_MS,
);

/** Every host shows the page, again and again. */
async function fourAnswers(): Promise<void> {
  const urls = [...hosts].map(({ ip }) => `http://${ip}/`);
  const all = [...urls, ...urls, ...urls];
  const said = await until('all answer', SOON_MS, () =>
    run('curl', ['-sf', '--fail-early', '--max-time', '5', ...all]),
  );
  expect(said.split('\n')).toEqual(all.map(() => 'HELLO NGINX USERS'));
}

/** Made, looked at, and removed. */
async function firstServices(): Promise<void> {
  await Promise.all([
    types(
      'docker service create --replicas 1 --name mariadb-service-01 -e MYSQL_ROOT_PASSWORD="P@ssw0rd" -p 3306:3306 mariadb:10.1',
    ),
    types('docker service create --replicas 3 --name apache-service-01 -p 80:80 httpd:2.4-alpine'),
  ]);
  expect(await types('docker service ls')).toMatch(/mariadb-service-01 +replicated +1\/1 +mariadb:10\.1/);
  const ps = await types('docker service ps mariadb-service-01');
  expect(ps).toMatch(/mariadb-service-01\.1 +mariadb:10\.1 +server-0\d +Running +Running /);
  await types('docker service logs apache-service-01');
  await types('docker service rm apache-service-01');
  await types('docker service rm mariadb-service-01');
}

async function webOnItsNetwork(): Promise<void> {
  await types('docker network create --driver overlay --attachable shop-net');
  await types('docker service create --name shop-web --replicas 2 --network shop-net nginx:1.12');
  const page = await types('docker run --rm --network shop-net busybox wget -qO- http://shop-web');
  expect(page).toContain('nginx stand-in on ');
}

async function withSecret(): Promise<void> {
  await types('printf s3cret | docker secret create db-password -');
  await types("printf 'greeting = hello\\n' | docker config create app-config -");
  await types(
    "docker service create --name app --secret db-password --config source=app-config,target=/etc/app.conf busybox sh -c 'cat /run/secrets/db-password /etc/app.conf; sleep 3600'",
  );
}

test(
  'the task of a host that loses its power runs elsewhere, with its data',
  async () => {
    const lost = await hostOf('mariadb-nfs-service-01');
    await lost.powerOff();
    await hostOf('mariadb-nfs-service-01', lost);
    for (const { ip, name } of hosts) {
      if (name === lost.name) continue;
      const found = await until(`the database answers through ${name}`, SOON_MS, () =>
        types('mysql -h 192.168.150.11 -u root -p"P@ssw0rd" -e "show databases"', { '192.168.150.11': ip }),
      );
      expect(found.split('\n')).toContain('DockerDB');
    }
    await nodesAre([...hosts].map(({ name }) => `${name} ${name === lost.name ? 'Down' : 'Ready'}`));
    const tree = await types('docker service ps mariadb-nfs-service-01');
    expect(tree).toMatch(
      new RegExp(`^\\w+ +\\\\_ mariadb-nfs-service-01\\.1 +mariadb:10\\.1 +${lost.name} +Shutdown `, 'm'),
    );
    returning = powerOn(lost).then(async () => {
      const own = swarmds.find(({ host }) => host === lost);
      await own?.kill(); // it ended with its host
      await own?.start();
    });
  },
  MANY_MS,
);

test(
  'services are listed, and scaled up and down',
  async () => {
    await Promise.all([returning, types('docker service scale nginx-nfs-service-01=4')]);
    await allReady();
    await fourAnswers();
    await types('docker service scale nginx-nfs-service-01=3');
    await fourAnswers();
    await replicas('apache-global-service-01', '4/4');
    const list = await types('docker service ls');
    expect(list).toMatch(/apache-global-service-01 +global +4\/4 +httpd:2\.4-alpine/);
    expect(list).toMatch(/mariadb-nfs-service-01 +replicated +1\/1/);
    expect(list).toMatch(/nginx-nfs-service-01 +replicated +3\/3/);
    const places = (await types('docker service ps apache-global-service-01')).match(
      /server-0\d(?= +Running +Running)/g,
    );
    expect(places?.sort()).toEqual([...hosts].map(({ name }) => name));
    expect(await types('docker service logs app')).toMatch(/s3cretgreeting = hello/);
  },
  MANY_MS,
);

test(
  'the example stack is deployed and removed',
  async () => {
    await types('docker stack deploy -c /opt/skep/examples/stack.yml shop');
    await replicas('shop_web', '3/3');
    await replicas('shop_agent', '4/4');
    expect(await types('docker stack services shop')).toMatch(/shop_web +replicated +3\/3/);
    expect(await types('docker stack ps shop')).toMatch(/shop_web\.3 /);
    const answer = await until('an agent passes the page on', SOON_MS, () =>
      types('curl http://192.168.150.12:8000/'),
    );
    expect(answer).toMatch(/stand-in on server-0\d-[123]</);
    expect(await types('curl http://192.168.150.12:8001/')).toMatch(/stand-in on server-0\d-[123]</);
    await types('docker stack rm shop');
  },
  MANY_MS,
);

test(
  'a drained host is emptied of its tasks',
  async () => {
    await types('docker node update --availability drain server-04');
    await until('no task runs there', SOON_MS, async () => {
      const left = await look("node ps server-04 --filter desired-state=running --format '{{.Name}}'");
      return left === '' ? true : undefined;
    });
    await replicas('nginx-nfs-service-01', '3/3');
    expect(await types('docker node ps server-04')).toMatch(/Shutdown/);
    await types('docker node update --availability active server-04');
  },
  MANY_MS,
);

test(
  'a backup is put back: what ran goes on',
  async () => {
    const containers = (): Promise<string> =>
      typed(manager, 'docker ps -q --filter name=global-service | sort');
    const before = await containers();
    const file = manager.diskFolder('swarm.db');
    const withState = (folder: string): Record<string, string> => ({
      'swarmd ': `swarmd --state-dir ${manager.diskFolder(folder)} `,
      '/var/backups/swarm.db': file,
    });
    await types('swarmd backup /var/backups/swarm.db', withState('swarmd'));
    expect(await typed(manager, `stat -c %a ${file}`)).toBe('600');
    await swarmds[0]?.stop();
    await types('swarmd restore /var/backups/swarm.db', withState('restored'));
    swarmds[0] = await new Swarmd(manager, { args: SOCKET, state: 'restored' }).start();
    await allReady();
    await replicas('apache-global-service-01', '4/4');
    expect(await containers()).toBe(before);
    await fourAnswers();
  },
  MANY_MS,
);

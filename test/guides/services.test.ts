import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hostEnvironment, run, startHosts, until, type Host, type Hosts } from '../hosts/index.ts';
import { ensureEtcd } from '../stores/etcd.ts';
import { Swarmd } from '../swarm-mode/swarmd.ts';
import { startRoundRobin } from '../virtual-host/round-robin.ts';
import { swarmFolder } from './lasting-line.ts';
import { Page } from './page.ts';
import { mariadbArchive } from './mariadb-image.ts';
import { addMysql, mountShared, powerOn, tagStandIns } from './services-hosts.ts';
import { typed } from './shell-lines.ts';

/*
 * Four hosts, server-01 to server-04, with swarmd and etcd, one engine of today among them, and a folder that all of
 * them share. What is typed stands in docs/guides/services.md, on the first manager's host unless that is off; each test
 * goes on from the former.
 */
const SOON_MS = 30_000;
const MANY_MS = 90_000;
const page = new Page('services.md');
/** A folder with what the hosts may lack. */
const programs = mkdtempSync(join(tmpdir(), 'skep-guide-services-'));
const SOCKET = ['-H', 'unix:///run/swarmd.sock'];
let hosts: Hosts;
/** The first manager. */
let manager: Host;
let second: Host;
let workers: readonly Host[] = [];
/** Where lines are typed. */
let here: Host;
/** The hosts' own, in their order. */
let swarmds: Swarmd[] = [];

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
  [manager, second] = [hosts.at(0), hosts.at(1)];
  workers = [hosts.at(2), hosts.at(3)];
  here = manager;
  const PATH = `${await ensureEtcd('3.4')}:${hostEnvironment()['PATH'] ?? ''}`;
  swarmds = [...hosts].map((host) => new Swarmd(host, { args: SOCKET, env: { PATH } }));
  await Promise.all([
    ...swarmds.map((swarmd) => swarmd.start()),
    each([...hosts], async (host) => {
      await host.loadImages(database);
      await tagStandIns(host);
    }),
  ]);
}, MANY_MS);

afterAll(async () => {
  await Promise.all(swarmds.map((swarmd) => swarmd.kill()));
  await hosts?.close();
  rmSync(programs, { recursive: true, force: true });
}, 60_000);

const each = async (all: readonly Host[], act: (host: Host) => Promise<unknown>): Promise<void> => {
  await Promise.all(all.map(act));
};

/** What is different from the page. */
function different(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const subnet = manager.ip.replace(/\d+$/, '');
  const examples = fileURLToPath(new URL('../../examples', import.meta.url));
  return { ...more, '/opt/skep/examples': examples, '192.168.150.': subnet };
}

/** Types a line of the page, in the shell that its first part has set up. */
const types = (text: string, more?: Readonly<Record<string, string>>): Promise<string> =>
  typed(here, inShell(page.line(text, different(more))), `${programs}:${swarmFolder}`);
const inShell = (line: string): string =>
  `${page.line('export DOCKER_HOST=unix:///run/swarmd.sock', {})}; ${line}`;
/** Looks at something, in words of the test. */
const look = (words: string): Promise<string> => typed(here, inShell(`docker ${words}`));

const rows = async (words: string): Promise<string[]> => (await look(words)).split('\n').sort();
const nodesAre = (wanted: readonly string[]): Promise<true> => {
  let found: string[] = [];
  return until(`nodes ${wanted.join()}`, SOON_MS, async () => {
    found = await rows("node ls --format '{{.Hostname}} {{.Status}} {{.ManagerStatus}}'");
    return found.map((row) => row.trim()).join() === [...wanted].sort().join() ? true : undefined;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}\nlast: ${found.join()}`, { cause: error });
  });
};
/** All are ready; managers are as said, the first host's first, '' for a worker. */
const allReady = (...managers: readonly string[]): Promise<true> =>
  nodesAre([...hosts].map(({ name }, index) => `${name} Ready ${managers[index] ?? ''}`.trim()));
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

/** Two managers, whichever leads. */
const eitherLeads = (): Promise<true> =>
  until('two managers', SOON_MS, async () => {
    const found = await rows("node ls --filter role=manager --format '{{.Status}} {{.ManagerStatus}}'");
    return found.join() === 'Ready Leader,Ready Reachable' ? true : undefined;
  });

/** Has tasks that are made meanwhile start there, as they may by themselves. */
async function onlyAt(host: Host, make: () => Promise<unknown>): Promise<void> {
  const others = [...hosts].filter((one) => one !== host);
  const set = (availability: string): Promise<unknown> =>
    Promise.all(others.map(({ name }) => look(`node update --availability ${availability} ${name}`)));
  await set('pause');
  await make();
  await set('active');
}

async function isBack(host: Host): Promise<void> {
  await powerOn(host);
  const own = swarmds.find((one) => one.host === host);
  await own?.kill(); // it ended with its host
  await own?.start();
}

test(
  'init, join-token, join, node ls',
  async () => {
    expect(await types('docker version')).toContain('20.10');
    const said = await types('docker swarm init --advertise-addr 192.168.150.11');
    expect(said).toMatch(/^Swarm initialized: current node \(\w{25}\) is now a manager\./);
    const join = async (host: Host, role: 'manager' | 'worker'): Promise<void> => {
      const token =
        role === 'manager'
          ? await types('docker swarm join-token -q manager')
          : (await types('docker swarm join-token worker')).match(/SWMTKN-\S+/)?.[0];
      const line = page.line('docker swarm join --token SWMTKN-1-… 192.168.150.11:2377', {
        ...different(),
        'SWMTKN-1-…': token ?? '',
      });
      expect(await typed(host, inShell(line))).toBe(`This node joined a swarm as a ${role}.`);
    };
    await join(second, 'manager');
    await each(workers, (host) => join(host, 'worker'));
    await allReady('Leader', 'Reachable');
    const list = (await types('docker node ls')).split('\n');
    expect(list[0]).toMatch(/^ID +HOSTNAME +STATUS +AVAILABILITY +MANAGER STATUS +ENGINE VERSION/);
    expect(list.filter((line) => /^\w{25} \* +server-01 +Ready +Active +Leader/.test(line))).toHaveLength(1);
    expect(list.filter((line) => /^\w{25} +server-02 +Ready +Active +Reachable/.test(line))).toHaveLength(1);
    expect(list.filter((line) => /^\w{25} +server-0[34] +Ready +Active +\d/.test(line))).toHaveLength(2);
    await until('a worker is the third vote', SOON_MS, async () =>
      /server-0[34] +Ready/.test(await types('docker node ls --filter node.label=skep.witness=true'))
        ? true
        : undefined,
    );
  },
  MANY_MS,
);

test(
  'the second of two managers loses its power: its task runs elsewhere',
  async () => {
    await onlyAt(second, async () => {
      await types(
        'docker service create --replicas 1 --name mariadb-service-01 -e MYSQL_ROOT_PASSWORD="P@ssw0rd" -p 3306:3306 mariadb:10.1',
      );
    });
    expect(await types('docker service ls')).toMatch(/mariadb-service-01 +replicated +1\/1 +mariadb:10\.1/);
    const ps = await types('docker service ps mariadb-service-01');
    expect(ps).toMatch(/mariadb-service-01\.1 +mariadb:10\.1 +server-02 +Running +Running /);
    await second.powerOff();
    await movedFrom(second, 'mariadb-service-01');
    await isBack(second);
    await allReady('Leader', 'Reachable');
  },
  MANY_MS,
);

test(
  'a worker loses its power: its tasks run elsewhere',
  async () => {
    await types('docker service create --replicas 3 --name apache-service-01 -p 80:80 httpd:2.4-alpine');
    await types('docker service logs apache-service-01');
    const [lost = second] = workers;
    await lost.powerOff();
    await until('three tasks elsewhere', SOON_MS, async () => {
      const places = await rows(
        "service ps apache-service-01 --filter desired-state=running --format '{{.Node}} {{.CurrentState}}'",
      );
      return places.length === 3 && places.every((row) => / Running/.test(row) && !row.startsWith(lost.name))
        ? true
        : undefined;
    });
    expect(await types('docker service ls')).toMatch(/apache-service-01 +replicated +3\/3/);
    await isBack(lost);
    await allReady('Leader', 'Reachable');
    await types('docker service rm apache-service-01');
    await types('docker service rm mariadb-service-01');
  },
  MANY_MS,
);

/** Its only task runs elsewhere; below it stands the one that was there. */
async function movedFrom(lost: Host, service: string): Promise<void> {
  await hostOf(service, lost);
  const tree = await types(`docker service ps ${service}`);
  expect(tree).toMatch(
    new RegExp(`^\\w+ +\\\\_ ${service}\\.1 +mariadb:10\\.1 +${lost.name} +Shutdown `, 'm'),
  );
}

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
    await types(
      'docker service create --replicas 2 --name nginx-nfs-service-01 --mount type=bind,src=/mnt/dockernfs/nginx-01,dst=/usr/share/nginx/html,ro -p 80:80 nginx:1.12',
    );
    await onlyAt(manager, () =>
      types(
        'docker service create --replicas 1 --name mariadb-nfs-service-01 --mount type=bind,src=/mnt/dockernfs/mariadb-service-01/config,dst=/etc/mysql/conf.d --mount type=bind,src=/mnt/dockernfs/mariadb-service-01/data,dst=/var/lib/mysql -e MYSQL_ROOT_PASSWORD="P@ssw0rd" -p 3306:3306 mariadb:10.1',
      ),
    );
    await Promise.all([webOnItsNetwork(), withSecret()]);
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
  'the manager that leads loses its power: the other one has its task run elsewhere, with its data',
  async () => {
    expect((await hostOf('mariadb-nfs-service-01')).name).toBe(manager.name);
    await manager.powerOff();
    here = second;
    await movedFrom(manager, 'mariadb-nfs-service-01');
    for (const { ip, name } of hosts) {
      if (name === manager.name) continue;
      const found = await until(`the database answers through ${name}`, SOON_MS, () =>
        types('mysql -h 192.168.150.12 -u root -p"P@ssw0rd" -e "show databases"', { '192.168.150.12': ip }),
      );
      expect(found.split('\n')).toContain('DockerDB');
    }
    await nodesAre([
      'server-01 Down Unreachable',
      'server-02 Ready Leader',
      'server-03 Ready',
      'server-04 Ready',
    ]);
    await isBack(manager);
    await allReady('Reachable', 'Leader');
    expect(await types('docker node ls')).toMatch(/server-01 +Ready +Active +Reachable/);
    here = manager;
    await allReady('Reachable', 'Leader');
  },
  MANY_MS,
);

test(
  'a third manager; services are listed, and scaled up and down; two managers again',
  async () => {
    await types('docker node promote server-03');
    await allReady('Reachable', 'Leader', 'Reachable');
    await types(
      'docker service create --mode global --name apache-global-service-01 -p 8080:80 httpd:2.4-alpine',
    );
    await types('docker service scale nginx-nfs-service-01=4');
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
    await types('docker node demote server-03');
    await allReady('Reachable', 'Leader');
  },
  MANY_MS,
);

test(
  'a balancer before the managers',
  async () => {
    const port = 2370; // the engines of these hosts have 2375 themselves
    for (const index of [0, 1]) {
      await swarmds[index]?.restart('-H', `tcp://0.0.0.0:${port}`, '--tls=false');
      await eitherLeads();
    }
    await using balancer = await startRoundRobin([manager, second].map(({ ip }) => `${ip}:${port}`));
    const line = page.line('docker --host=tcp://192.168.150.27:2375 service ls', {
      'tcp://192.168.150.27:2375': balancer.host,
    });
    for (let turn = 0; turn < 4; turn += 1)
      expect(await run('sh', ['-c', line])).toMatch(/apache-global-service-01 +global +4\/4/);
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
  'a backup is put back where all managers are lost: what ran goes on',
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
    await Promise.all([swarmds[0]?.stop(), second.powerOff()]);
    await types('swarmd restore /var/backups/swarm.db', withState('restored'));
    swarmds[0] = await new Swarmd(manager, { args: SOCKET, state: 'restored' }).start();
    await nodesAre(['server-01 Ready Leader', 'server-02 Down', 'server-03 Ready', 'server-04 Ready']);
    expect(await containers()).toBe(before);
  },
  MANY_MS,
);

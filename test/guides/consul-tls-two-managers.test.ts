import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  run,
  startHosts,
  swarmImageArchive,
  until,
  type CommandResult,
  type Host,
  type Hosts,
} from '../hosts/index.ts';
import { startConsul, type Consul } from '../stores/consul.ts';
import { swarmFolder } from './lasting-line.ts';
import { tryTyped, typed } from './shell-lines.ts';

/*
 * Three hosts: two for managers, the first with Consul as well, and worker-1. Every certificate is of a CA that openssl made,
 * the first host's made by openssl too, the others' and the client's by `swarm certs`. Lines are typed as they stand in
 * docs/guides/consul-tls-two-managers.md.
 */
const SOON_MS = 60_000;
const MANY_MS = 180_000;
const TLS = '--tlsverify --tlscacert=ca.pem --tlscert=cert.pem --tlskey=key.pem';
const SERVER = TLS.replaceAll('=', '=/server/');
const FOLDER = '/etc/docker/ssl';
const folder = mkdtempSync(join(tmpdir(), 'skep-guide-consul-'));
const certs = join(folder, 'certs');
let hosts: Hosts;
let consul: Consul | undefined;
let first: Host;
let second: Host;
let worker: Host;

beforeAll(async () => {
  const archive = await swarmImageArchive();
  hosts = await startHosts({
    count: 3,
    engine: ['20.10', '28.5', '20.10'],
    port: 2376,
    extraDockerdArgs: TLS.replaceAll('=', `=${FOLDER}/`).split(' '),
    beforeEngines: async (all) => {
      const names = ['manager-1', 'manager-2', 'worker-1'];
      await Promise.all(all.map((host, at) => host.exec('hostname', names[at] ?? '')));
      await makeCertificates(all, names);
    },
  });
  [first, second, worker] = [hosts.at(0), hosts.at(1), hosts.at(2)];
  consul = await startConsul({ on: first });
  await Promise.all([...hosts].map((host) => host.loadImages(archive)));
}, MANY_MS);

afterAll(async () => {
  await consul?.[Symbol.asyncDispose]();
  await hosts?.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

async function makeCertificates(all: readonly Host[], names: readonly string[]): Promise<void> {
  const [one, two, three] = all.map(({ ip }) => ip);
  const [own] = names;
  const lines = [
    `mkdir -p certs/${own} && cd certs`,
    'openssl genrsa -out ca-priv-key.pem 2048',
    'openssl req -new -x509 -key ca-priv-key.pem -sha256 -days 1825 -subj "/CN=our CA" -out ca.pem',
    `openssl genrsa -out ${own}/key.pem 2048`,
    `openssl req -new -key ${own}/key.pem -subj "/CN=${own}" -out request.csr`,
    `printf 'subjectAltName=DNS:${own},IP:${one}\\nextendedKeyUsage=serverAuth,clientAuth\\n' > names.ext`,
    `openssl x509 -req -in request.csr -CA ca.pem -CAkey ca-priv-key.pem -CAcreateserial -sha256 -days 825 -extfile names.ext -out ${own}/cert.pem`,
    `cp ca.pem ${own}/`,
    `swarm certs --ca . --host ${names[1]},${two} --host ${names[2]},${three}`,
  ];
  const env = { PATH: `${swarmFolder}:${process.env['PATH']}` };
  await run('sh', ['-ec', lines.join('\n')], { cwd: folder, env });
  await Promise.all(
    all.map((host, at) =>
      typed(
        host,
        `mkdir -p -m 700 ${FOLDER} && install -m 600 -o root ${certs}/${names[at]}/*.pem ${FOLDER}/`,
      ),
    ),
  );
}

/** docker with the client's certificate, from the worker, which has the CLI too. */
const docker = (words: string): Promise<string> =>
  typed(worker, `cd ${certs}/client && docker ${TLS} ${words}`);
const at = (host: Host, port = 4000): string => `-H tcp://${host.ip}:${port}`;

function infoWith(host: Host, words: RegExp, port?: number): Promise<string> {
  return until(`${words} in docker info of ${host.name}`, SOON_MS, async () => {
    const info = await docker(`${at(host, port)} info`);
    return words.test(info) ? info : undefined;
  });
}

async function logOf(host: Host, container: string, ...wanted: readonly RegExp[]): Promise<string> {
  let log = '';
  return until(`the log of ${container}`, SOON_MS, async () => {
    log = await typed(host, `docker logs ${container} 2>&1`);
    return wanted.every((words) => words.test(log)) ? log : undefined;
  }).catch((error: unknown) => {
    throw new Error(`not ${wanted.join(', ')} in\n${log}`, { cause: error });
  });
}

const manageLine = (host: Host): string =>
  `docker run -d --restart=always --name=swarm_mgr -p 4000:4000 -v ${FOLDER}:/server:ro swarm manage ${SERVER} ` +
  `--host=0.0.0.0:4000 --replication --advertise ${host.ip}:4000 consul://${first.ip}:8500`;

test('keys are files of root that nobody else reads', async () => {
  for (const host of hosts) expect(await typed(host, `stat -c '%a %U' ${FOLDER}/key.pem`)).toBe('600 root');
});

test(
  'of two managers with TLS, each by one docker run, one leads and the other knows it',
  async () => {
    await typed(first, manageLine(first));
    await infoWith(first, /^ ?Role: primary$/m);
    await typed(second, manageLine(second));
    const info = await infoWith(second, new RegExp(`^ ?Primary: ${first.ip}:4000$`, 'm'));
    expect(info).toMatch(/^ ?Role: replica$/m);
    for (const host of [first, second]) {
      const row = await typed(host, "docker ps --format '{{.Command}} {{.Ports}}'");
      expect(row).toMatch(/^"\/swarm manage .*" 2375\/tcp, 0\.0\.0\.0:4000->4000\/tcp/);
      const log = await typed(host, 'docker logs swarm_mgr 2>&1');
      const [starting] = log.split('Listening for HTTP');
      expect(starting).not.toMatch(/level=(warning|error)/);
    }
  },
  MANY_MS,
);

/** The guide's line, whose three mistakes each get words. */
const wrongJoin = (host: Host): string =>
  `docker run --restart=always -d -v ${FOLDER}:/server:ro swarm join ` +
  '--discovery-opt kv.cacertfile=/server/ca.pem --discovery-opt kv.certfile=/server/cert.pem ' +
  '--discovery-opt kv.keyfile=/server/key.pem ' +
  `--host=0.0.0.0:4000 --advertise=${host.ip}:4000 consul://${first.ip}:8500`;

test(
  "the guide's way to join says what is wrong with it: --host, the port, and TLS with Consul",
  async () => {
    const noListener = /level=warning msg="--host 0\.0\.0\.0:4000 is not used: an agent listens nowhere/;
    const plain = /level=error .*Consul at .*:8500 speaks plain text: leave --discovery-opt .* out/;
    const nobody =
      /level=warning .*no engine answers there: .*is 4000 the port of a manager\? Engines listen on 2375, or 2376 with TLS/;
    const manager =
      /level=warning .*that is a swarm manager, not an engine: 4000 is the port of a manager, engines listen on 2375, or 2376/;
    const [onWorker, onManager] = await Promise.all([
      typed(worker, wrongJoin(worker)),
      typed(second, wrongJoin(second)),
    ]);
    await logOf(worker, onWorker, noListener, plain, nobody);
    await logOf(second, onManager, noListener, plain, manager);
    await Promise.all([
      typed(worker, `docker rm -f ${onWorker}`),
      typed(second, `docker rm -f ${onManager}`),
    ]);
  },
  MANY_MS,
);

test(
  "joined as it is meant, it is a node of both managers'",
  async () => {
    const join = `swarm join --advertise=${worker.ip}:2376 consul://${first.ip}:8500`;
    const id = await typed(worker, `docker run --restart=always -d ${join}`);
    await logOf(worker, id, /msg=Registered/, /speaks TLS and does not show itself without a certificate/);
    for (const host of [first, second]) {
      const info = await infoWith(host, /Status: Healthy/);
      expect(info).toContain(`worker-1: ${worker.ip}:2376`);
    }
  },
  MANY_MS,
);

test('docker sees the swarm, by options and by variables; without TLS it is told', async () => {
  expect(await docker(`${at(first)} version`)).toMatch(/Server:[^]*Version: +swarm\//);
  const variables = `DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=${certs}/client DOCKER_HOST=tcp://${second.ip}:4000`;
  expect(await typed(worker, `export ${variables}; docker version`)).toMatch(/Server:[^]*Version: +swarm\//);
  const plain: CommandResult = await tryTyped(worker, `docker ${at(first)} version`);
  expect(plain.code).not.toBe(0);
  expect(plain.stderr).toContain('Client sent an HTTP request to an HTTPS server.');
  expect(plain.stderr).not.toContain('EOF');
});

test('containers run on the worker, and their ports have its address', async () => {
  const image = `printf 'FROM busybox\\nCMD ["echo","Hello from Docker!"]\\n' | docker build -q -t hello-world -`;
  await typed(worker, image);
  expect(await docker(`${at(first)} run hello-world`)).toBe('Hello from Docker!');
  const row = "ps -a --filter ancestor=hello-world --format '{{.Names}} {{.Status}}'";
  expect(await docker(`${at(first)} ${row}`)).toMatch(/^worker-1\/[a-z]+_[a-z0-9]+ Exited \(0\)/);
  await docker(`${at(second)} run -d --name web -p 80:80 nginx`);
  const web = await docker(`${at(second)} ps`);
  expect(web).toMatch(new RegExp(`${worker.ip}:80->80/tcp.* worker-1/web$`, 'm'));
});

test(
  'when the container of the primary is stopped, the other one takes over',
  async () => {
    const health = "docker inspect -f '{{.State.Health.Status}}' swarm_mgr";
    await until('a health check', SOON_MS, async () =>
      (await typed(first, health)) === 'healthy' ? true : undefined,
    );
    // The client that came without TLS was turned away; the checks, which do so too, are not worth a line.
    const log = await typed(first, 'docker logs swarm_mgr 2>&1');
    expect(log).toMatch(new RegExp(`Refused a client.* peer=${worker.ip}`));
    expect(log).not.toMatch(/Refused a client.* peer=127/);
    await typed(first, 'docker stop swarm_mgr');
    await infoWith(second, /^ ?Role: primary$/m);
    expect(await docker(`${at(second)} run --rm hello-world`)).toBe('Hello from Docker!');
    expect(await docker(`${at(second)} ps --format '{{.Names}}'`)).toBe('worker-1/web');
    await typed(first, 'docker start swarm_mgr');
    await infoWith(first, new RegExp(`^ ?Primary: ${second.ip}:4000$`, 'm'));
  },
  MANY_MS,
);

test(
  'a third manager has the nodes of a token',
  async () => {
    const service = `-e SWARM_TOKEN_URL=http://${first.ip}:8090`;
    await typed(
      first,
      'docker run -d --name swarm-discovery -p 8090:8090 swarm discovery -H tcp://0.0.0.0:8090',
    );
    const token = await until('a token', SOON_MS, () =>
      typed(first, `docker run --rm ${service} swarm create`),
    );
    await typed(worker, `docker run -d ${service} swarm join --addr=${worker.ip}:2376 token://${token}`);
    await typed(
      second,
      `docker run -d -p 3376:3376 -v ${FOLDER}:/server:ro ${service} swarm manage ${SERVER} --host=0.0.0.0:3376 token://${token}`,
    );
    expect(await infoWith(second, /Status: Healthy/, 3376)).toMatch(/^ ?Nodes: 1$/m);
    expect(await docker(`${at(second, 3376)} ps --format '{{.Names}}'`)).toBe('worker-1/web');
  },
  MANY_MS,
);

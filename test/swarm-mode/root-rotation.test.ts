import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { engineCall } from '../hosts/engine-api.ts';
import { startHosts, until, type Host, type Hosts } from '../hosts/index.ts';
import { rootOf } from './certificates.ts';
import { idsOf, nodesOf, settled, type SeenContainer } from './observed.ts';
import { Swarmd } from './swarmd.ts';

/**
 * `docker swarm ca` on stock engines of both kinds, one of them with swarmd beside it as a worker. Each test goes on from
 * the former.
 */
let hosts: Hosts;
let manager: Host;
let balancing: Host;
let plain: Host;
let late: Host;
let swarmd: Swarmd;
let workerd: Swarmd;
let members: Host[] = [];

interface SwarmJson {
  readonly TLSInfo: { readonly TrustRoot: string; readonly CertIssuerPublicKey: string };
  readonly RootRotationInProgress: boolean;
  readonly JoinTokens: { readonly Worker: string; readonly Manager: string };
}
interface NodeJson {
  readonly Description: { readonly Hostname: string; readonly TLSInfo: SwarmJson['TLSInfo'] };
}
const shown = async (): Promise<SwarmJson> => (await engineCall(swarmd.socket, 'GET', '/swarm')) as SwarmJson;
/** The names of the hosts whose certificates the new root has signed. */
const followers = async (): Promise<string[]> => {
  const { TLSInfo } = await shown();
  const nodes = (await engineCall(swarmd.socket, 'GET', '/nodes')) as readonly NodeJson[];
  const followed = nodes.filter(
    ({ Description }) => Description.TLSInfo.CertIssuerPublicKey === TLSInfo.CertIssuerPublicKey,
  );
  return followed.map(({ Description }) => Description.Hostname).sort();
};
const namesOf = (of: readonly Host[]): string[] => of.map(({ name }) => name).sort();
const isDone = (): Promise<unknown> =>
  until('the rotation has ended', 60_000, async () => !(await shown()).RootRotationInProgress || undefined);
const allReady = (): Promise<unknown> =>
  until('all nodes are ready', 40_000, async () => {
    return [...(await nodesOf(swarmd)).values()].every(({ state }) => state === 'ready') || undefined;
  });
const allTrust = (root: string): Promise<unknown> =>
  until(
    'every engine trusts the root',
    40_000,
    () => members.every((host) => rootOf(host) === root) || undefined,
  );
const containers = (): Promise<SeenContainer[]> => settled(swarmd, members, { web: members.length });
const joinBy = async (through: Pick<Host, 'docker'>): Promise<void> => {
  const token = await swarmd.docker('swarm', 'join-token', '-q', 'worker');
  await through.docker('swarm', 'join', '--token', token, `${manager.ip}:2377`);
};
/** How often the worker's balancer has found its manager. */
const followed = (): number => workerd.log.split('A manager tells what to balance').length;

beforeAll(async () => {
  hosts = await startHosts({
    count: 4,
    engine: ['20.10', '20.10', '28.5', '28.5'],
    dockerdEnv: { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' },
  });
  [manager, balancing, plain, late] = [hosts.at(0), hosts.at(1), hosts.at(2), hosts.at(3)];
  [swarmd, workerd] = await Promise.all([new Swarmd(manager).start(), new Swarmd(balancing).start()]);
  await swarmd.docker('swarm', 'init', '--advertise-addr', manager.ip);
  await joinBy(workerd);
  await joinBy(plain);
  members = [manager, balancing, plain];
  await allReady();
  await swarmd.docker(
    ...['service', 'create', '-d', '--no-resolve-image', '--mode', 'global', '--name', 'web', 'nginx'],
  );
  await containers();
  await until('the worker balances', 20_000, () => followed() > 1 || undefined);
});
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(swarmd.log.slice(-4000), workerd.log.slice(-2000));
});
afterAll(async () => {
  await Promise.all([swarmd?.kill(), workerd?.kill()]);
  await hosts?.close();
});

test('a node that is off holds up a rotation; others follow and join meanwhile, whatever becomes of swarmd', async () => {
  const before = await shown();
  expect(`${await swarmd.docker('swarm', 'ca')}\n`).toBe(rootOf(plain));
  const running = await containers();
  await plain.stop();
  expect(await swarmd.docker('swarm', 'ca', '--rotate', '--detach')).toBe('');
  await until('who is there has followed', 60_000, async () => {
    return (await followers()).join() === namesOf([manager, balancing]).join() || undefined;
  });
  await swarmd.kill();
  await swarmd.start();
  await joinBy(late);
  await until('who joined has the new certificate', 30_000, async () => {
    return (await followers()).join() === namesOf([manager, balancing, late]).join() || undefined;
  });
  const during = await shown();
  expect(during.RootRotationInProgress).toBe(true);
  expect(during.JoinTokens).toEqual(before.JoinTokens);
  expect(during.TLSInfo.TrustRoot).toBe(before.TLSInfo.TrustRoot);
  expect(rootOf(balancing)).toBe(before.TLSInfo.TrustRoot);

  await plain.start();
  await isDone();
  members = [manager, balancing, plain, late];
  const after = await shown();
  expect(after.TLSInfo.CertIssuerPublicKey).toBe(during.TLSInfo.CertIssuerPublicKey);
  expect(after.JoinTokens.Worker).not.toBe(before.JoinTokens.Worker);
  expect(after.JoinTokens.Manager).not.toBe(before.JoinTokens.Manager);
  await allTrust(after.TLSInfo.TrustRoot);
  await allReady();
  expect(idsOf(await containers())).toEqual(
    expect.arrayContaining(idsOf(running.filter(({ host }) => host !== plain.name))),
  );
});

test('the CLI shows how nodes follow to a root of its user’s, and ends when all have', async () => {
  const running = await containers();
  const folder = mkdtempSync(join(tmpdir(), 'skep-root-'));
  try {
    const [cert, key] = [join(folder, 'root.pem'), join(folder, 'root.key')];
    const wish = ['-newkey', 'rsa:2048', '-nodes', '-sha256', '-days', '800', '-subj', '/O=Us/CN=our root'];
    execFileSync('openssl', ['req', '-x509', ...wish, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const said = await swarmd.docker('swarm', 'ca', '--rotate', '--ca-cert', cert, '--ca-key', key);
    const { TLSInfo, RootRotationInProgress } = await shown();
    expect(RootRotationInProgress).toBe(false);
    expect(said).toContain('rotated TLS certificates');
    const digest = createHash('sha256').update(TLSInfo.TrustRoot).digest('hex');
    expect(said).toContain(`desired root digest: sha256:${digest}`);
    expect(`${said}\n`).toContain(TLSInfo.TrustRoot);
    await allTrust(TLSInfo.TrustRoot);
  } finally {
    rmSync(folder, { recursive: true });
  }
  const rows = await swarmd.docker('node', 'ls', '--format', '{{.Hostname}} {{.TLSStatus}}');
  expect(rows.split('\n').sort()).toEqual(namesOf(members).map((name) => `${name} Ready`));
  expect(idsOf(await containers())).toEqual(idsOf(running));
});

test('with the new root all come back: engines, and the balancer of a worker', async () => {
  const running = await containers();
  const before = followed();
  await swarmd.restart();
  await allReady();
  await until('the worker’s balancer is back', 30_000, () => followed() > before || undefined);
  await late.restart();
  await allReady();
  expect(idsOf(await containers())).toEqual(
    expect.arrayContaining(idsOf(running.filter(({ host }) => host !== late.name))),
  );
  expect(workerd.log).not.toContain('not of this swarm');
});

test('a node that was off when the roots changed is told later; one that was removed for that stays out', async () => {
  await plain.stop();
  await swarmd.docker('swarm', 'ca', '--rotate', '--detach');
  const here = [manager, balancing, late];
  await until('who is there has followed', 60_000, async () => {
    return (await followers()).join() === namesOf(here).join() || undefined;
  });
  await late.stop();
  const { id } = (await nodesOf(swarmd)).get(plain.name) ?? expect.fail('no node');
  await swarmd.docker('node', 'rm', '--force', id);
  await isDone();
  const { TLSInfo } = await shown();
  expect(rootOf(late)).not.toBe(TLSInfo.TrustRoot);
  // With nothing but the start of a manager that never knew the old root's key.
  await swarmd.restart();
  await Promise.all([late.start(), plain.start()]);
  members = here;
  await allTrust(TLSInfo.TrustRoot);
  await allReady();
  const words = 'not of its present root CA';
  await until('the removed one is told', 30_000, () => plain.log.includes(words) || undefined);
  await plain.docker('swarm', 'leave', '--force');
  await joinBy(plain);
  members = [...here, plain];
  await allReady();
  await containers();
});

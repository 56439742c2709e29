import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startDaemon, type TestDaemon } from './testing/daemon.ts';

const INIT = { ListenAddr: '127.0.0.1:2377', AdvertiseAddr: '127.0.0.1', AutoLockManagers: true };
const LOCKED =
  'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.';

/** A daemon that was restarted over a state with a lock, and what its key is. */
async function locked(
  parts: Parameters<typeof startDaemon>[0] = {},
): Promise<AsyncDisposable & { daemon: TestDaemon; key: string; nodeId: string }> {
  const daemon = await startDaemon(parts);
  const { value } = await daemon.call('POST', '/swarm/init', INIT);
  const key = ((await daemon.call('GET', '/swarm/unlockkey')).value as { UnlockKey: string }).UnlockKey;
  await daemon.life.close();
  await daemon.life.resume();
  return { daemon, key, nodeId: value as string, [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() };
}

const unlock = (daemon: TestDaemon, UnlockKey: unknown): ReturnType<TestDaemon['call']> =>
  daemon.call('POST', '/v1.41/swarm/unlock', { UnlockKey });

test('a locked manager does nothing but say so, and relay what is the engine’s', async () => {
  await using host = await locked();
  const { daemon } = host;
  expect(daemon.life.swarm).toBeUndefined();
  for (const path of [
    '/swarm',
    '/swarm/unlockkey',
    '/nodes',
    '/services',
    '/tasks/x',
    '/secrets',
    '/configs',
  ])
    expect(await daemon.call('GET', `/v1.41${path}`)).toMatchObject({ status: 503, message: LOCKED });
  expect(await daemon.call('POST', '/swarm/update?version=1', {})).toMatchObject({
    status: 503,
    message: LOCKED,
  });
  for (const path of ['/swarm/init', '/swarm/join'])
    expect(
      await daemon.call('POST', path, { ...INIT, RemoteAddrs: ['127.0.0.1:1'], JoinToken: 'x' }),
    ).toMatchObject({
      status: 503,
      message: expect.stringContaining('This node is already part of a swarm.') as string,
    });
  expect((await daemon.call('GET', '/info')).value).toMatchObject({
    ID: 'engine',
    Swarm: { LocalNodeState: 'locked', NodeID: '', ControlAvailable: false, Error: LOCKED },
  });
  expect((await daemon.call('GET', '/_ping')).headers).toMatchObject({
    swarm: 'locked',
    'api-version': '1.41',
  });
  expect(await daemon.call('GET', '/v1.24/containers/json')).toMatchObject({
    status: 418,
    message: 'engine: GET /containers/json',
  });
});

test('the key opens it, and no other', async () => {
  await using host = await locked();
  const { daemon, key, nodeId } = host;
  for (const [given, status, message] of [
    ['', 400, 'invalid key string'],
    ['SWMKEY-1', 400, 'invalid key string'],
    [7, 400, 'invalid key string'],
    [`SWMKEY-1-${'A'.repeat(43)}`, 401, 'swarm could not be unlocked: invalid key provided'],
    ['SWMKEY-1-AAAA', 401, 'swarm could not be unlocked: invalid key provided'],
  ] as const)
    expect(await unlock(daemon, given)).toMatchObject({ status, message });
  expect(daemon.life.isLocked).toBe(true);
  expect(await unlock(daemon, key)).toMatchObject({ status: 200 });
  expect((await daemon.call('GET', '/nodes/self')).value).toMatchObject({ ID: nodeId });
  expect(await unlock(daemon, key)).toMatchObject({ status: 409, message: 'swarm is not locked' });
  expect((await daemon.call('GET', '/swarm/unlockkey')).value).toEqual({ UnlockKey: key });
});

test('a key that opened it for a manager which could not begin opens it for nobody else', async () => {
  let refusal: Error | undefined;
  await using host = await locked({
    beforeManager: () => {
      if (refusal) throw refusal;
    },
  });
  const { daemon, key } = host;
  refusal = new Error('the port is taken');
  expect(await unlock(daemon, key)).toMatchObject({
    status: 500,
    message: 'swarm component could not be started: the port is taken',
  });
  refusal = undefined;
  expect(await unlock(daemon, `SWMKEY-1-${'A'.repeat(43)}`)).toMatchObject({ status: 401 });
  expect(await unlock(daemon, key)).toMatchObject({ status: 200 });
});

test('one that was restored beside its living swarm says so when it is unlocked, and stays asleep', async () => {
  await using host = await locked({ livingManager: () => Promise.resolve('10.0.0.9:2377') });
  const { daemon, key } = host;
  daemon.folder.markRestored(true);
  expect(await unlock(daemon, key)).toMatchObject({
    status: 500,
    message: expect.stringContaining('its manager at 10.0.0.9:2377 answers') as string,
  });
  expect(daemon.life.swarm).toBeUndefined();
});

test('its files hold no key, and leaving by force forgets it', async () => {
  await using host = await locked();
  const { daemon, key, nodeId } = host;
  const kept = readdirSync(daemon.folder.path)
    .filter((name) => !name.endsWith('.sock'))
    .map((name) => readFileSync(join(daemon.folder.path, name), 'latin1'))
    .join('\n');
  for (const words of [key, Buffer.from(key.slice(9), 'base64').toString('latin1'), 'PRIVATE KEY', 'SWMTKN'])
    expect(kept).not.toContain(words);
  expect(kept).toContain(nodeId);
  expect(await daemon.call('POST', '/swarm/leave')).toMatchObject({
    status: 503,
    message: 'Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.',
  });
  expect(await daemon.call('POST', '/swarm/leave?force=1')).toMatchObject({ status: 200 });
  expect(existsSync(join(daemon.folder.path, 'state.db'))).toBe(false);
  expect(daemon.life.isLocked).toBe(false);
  expect(await daemon.call('POST', '/swarm/init', { ...INIT, AutoLockManagers: false })).toMatchObject({
    status: 200,
  });
});

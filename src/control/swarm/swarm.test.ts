import { afterAll, beforeEach, expect, test } from 'vitest';
import { SYSTEM_TIMES } from '../../base/clock.ts';
import { createLog } from '../../base/log.ts';
import { createCluster } from '../../ca/index.ts';
import { runSealing } from '../../store/index.ts';
import { startControlApi, type ControlApi } from '../testing/control-api.ts';
import { readInitRequest } from './init-request.ts';
import { readPools } from './pools.ts';

let api: ControlApi | undefined;
const fresh = await createCluster({}, Date.now());
const { worker, manager } = fresh.rootCa.joinTokens;

beforeEach(async () => {
  await api?.[Symbol.asyncDispose]();
  api = await startControlApi();
  await api.store.update((tx) => tx.create('cluster', fresh));
});
afterAll(() => api?.[Symbol.asyncDispose]());

const call: ControlApi['call'] = (...args) => {
  if (!api) throw new Error('not started');
  return api.call(...args);
};

interface Shown {
  readonly Version: { readonly Index: number };
  readonly Spec: Record<string, object>;
  readonly JoinTokens: Record<string, string>;
  readonly TLSInfo: Record<string, string>;
  readonly RootRotationInProgress: boolean;
}
const inspect = async (): Promise<Shown> => (await call('GET', '/swarm')).value as Shown;

test('a swarm is shown as Docker shows it', async () => {
  expect(await inspect()).toMatchObject({
    ID: fresh.id,
    Version: { Index: 1 },
    Spec: {
      Name: 'default',
      Labels: {},
      Orchestration: { TaskHistoryRetentionLimit: 5 },
      Raft: {
        SnapshotInterval: 10000,
        KeepOldSnapshots: 0,
        LogEntriesForSlowFollowers: 500,
        ElectionTick: 10,
        HeartbeatTick: 1,
      },
      Dispatcher: { HeartbeatPeriod: 1_500_000_000 },
      CAConfig: { NodeCertExpiry: 7_776_000_000_000_000 },
      TaskDefaults: {},
      EncryptionConfig: { AutoLockManagers: false },
    },
    TLSInfo: {
      TrustRoot: expect.stringContaining('BEGIN CERTIFICATE') as string,
      CertIssuerSubject: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/) as string,
      CertIssuerPublicKey: expect.stringMatching(/^MFkwEwYHKoZIzj0/) as string,
    },
    RootRotationInProgress: false,
    DefaultAddrPool: ['10.0.0.0/8'],
    SubnetSize: 24,
    DataPathPort: 4789,
    JoinTokens: { Worker: worker, Manager: manager },
  });
  expect(JSON.stringify(await inspect())).not.toContain('PRIVATE KEY');
  expect((await call('GET', '/swarm/unlockkey')).value).toEqual({ UnlockKey: '' });
});

test('what was read can be sent back changed; tokens rotate one by one', async () => {
  const before = await inspect();
  const spec = { ...before.Spec, Orchestration: { TaskHistoryRetentionLimit: 2 }, Labels: { a: 'b' } };
  expect((await call('POST', '/swarm/update?version=1&rotateWorkerToken=true', spec)).status).toBe(200);
  const after = await inspect();
  expect(after.Spec).toMatchObject({ Orchestration: { TaskHistoryRetentionLimit: 2 }, Labels: { a: 'b' } });
  expect(after.JoinTokens['Worker']).not.toBe(before.JoinTokens['Worker']);
  expect(after.JoinTokens['Manager']).toBe(before.JoinTokens['Manager']);
  const late = await call('POST', '/swarm/update?version=1', spec);
  expect(late.message).toContain('update out of sequence');
});

test('a new root is begun once for each number, and is shown while it comes', async () => {
  const before = await inspect();
  const spec = { ...before.Spec, CAConfig: { ForceRotate: 1 } };
  expect((await call('POST', '/swarm/update?version=1', spec)).status).toBe(200);
  const during = await inspect();
  expect(during.RootRotationInProgress).toBe(true);
  expect(during.Spec['CAConfig']).toMatchObject({ ForceRotate: 1 });
  expect(during.JoinTokens).toEqual(before.JoinTokens);
  expect(during.TLSInfo['TrustRoot']).toBe(before.TLSInfo['TrustRoot']);
  expect(during.TLSInfo['CertIssuerPublicKey']).not.toBe(before.TLSInfo['CertIssuerPublicKey']);
  expect(JSON.stringify(during)).not.toContain('PRIVATE KEY');
  expect((await call('POST', '/swarm/update?version=2', spec)).status).toBe(200);
  expect((await inspect()).TLSInfo).toEqual(during.TLSInfo);
  const CAConfig = { SigningCACert: fresh.rootCa.certPem, SigningCAKey: fresh.rootCa.keyPem };
  expect((await call('POST', '/swarm/update?version=3', { ...spec, CAConfig })).status).toBe(200);
  expect(await inspect()).toMatchObject({ RootRotationInProgress: false, TLSInfo: before.TLSInfo });
});

test('autolock makes a key when it is told, which changes when that is asked for, and goes with autolock', async () => {
  const { store } = api ?? expect.fail();
  const over = new AbortController();
  const sealing = runSealing({ store, times: SYSTEM_TIMES, log: createLog('fatal') }, over.signal);
  const update = async (AutoLockManagers: boolean, query = ''): Promise<number> => {
    const { Version, Spec } = await inspect();
    const spec = { ...Spec, EncryptionConfig: { AutoLockManagers } };
    return (await call('POST', `/swarm/update?version=${Version.Index}${query}`, spec)).status;
  };
  const told = async (): Promise<string> =>
    ((await call('GET', '/swarm/unlockkey')).value as { UnlockKey: string }).UnlockKey;
  expect(await update(false, '&rotateManagerUnlockKey=true')).toBe(200);
  expect(await told()).toBe('');
  expect(await update(true)).toBe(200);
  expect((await inspect()).Spec).toMatchObject({ EncryptionConfig: { AutoLockManagers: true } });
  const first = await told();
  expect(first).toMatch(/^SWMKEY-1-[A-Za-z0-9+/]{43}$/);
  expect(await told()).toBe(first);
  expect(await update(true, '&rotateManagerUnlockKey=true')).toBe(200);
  const second = await told();
  expect(second).not.toBe(first);
  expect(await update(true)).toBe(200);
  expect(await told()).toBe(second);
  expect(JSON.stringify(await inspect())).not.toContain('SWMKEY');
  expect(await update(false)).toBe(200);
  expect(await told()).toBe('');
  over.abort();
  await sealing;
});

test('the log driver of tasks that name none is kept', async () => {
  const { Spec } = await inspect();
  const TaskDefaults = { LogDriver: { Name: 'json-file', Options: { 'max-size': '1m' } } };
  expect((await call('POST', '/swarm/update?version=1', { ...Spec, TaskDefaults })).status).toBe(200);
  expect((await inspect()).Spec).toMatchObject({ TaskDefaults });
});

test.each([
  ['', {}, 400, "invalid swarm version ''"],
  ['1&rotateWorkerToken=maybe', {}, 400, 'invalid value for rotateWorkerToken'],
  ['1', { Name: 'other' }, 400, 'swarm spec must be named "default"'],
  ['1', { Dispatcher: { HeartbeatPeriod: -1 } }, 400, 'heartbeat time period cannot be a negative duration'],
  ['1', { Dispatcher: { HeartbeatPeriod: 1 } }, 400, 'between 100ms and 1h'],
  ['1', { Dispatcher: { HeartbeatPeriod: 'soon' } }, 400, 'cannot unmarshal string'],
  ['1', { CAConfig: { NodeCertExpiry: 60_000_000_000 } }, 400, 'minimum certificate expiry time is: 1h0m0s'],
  ['1', { CAConfig: { SigningCAKey: 'x' } }, 400, 'the signing CA cert must also be provided'],
  ['1', { CAConfig: { SigningCACert: 'x' } }, 400, 'external CAs are not supported'],
  ['1', { CAConfig: { SigningCACert: 'x', SigningCAKey: 'x' } }, 400, 'invalid root certificates'],
  ['1', { CAConfig: { ExternalCAs: [{ URL: 'https://x' }] } }, 501, 'external CAs are not supported'],
  ['1', { EncryptionConfig: { AutoLockManagers: 'yes' } }, 400, 'cannot unmarshal string'],
  ['1', { Raft: [] }, 400, 'cannot unmarshal array'],
  ['1', 'not json', 400, 'invalid JSON'],
])('an update at version %j with %j is refused', async (version, spec, status, words) => {
  const answer = await call('POST', `/swarm/update?version=${version}`, spec);
  expect(answer.status).toBe(status);
  expect(answer.message).toContain(words);
});

test('an init that says nothing gets the defaults', () => {
  expect(readInitRequest({ ListenAddr: '0.0.0.0:2377', SubnetSize: 24 })).toMatchObject({
    availability: 'active',
    dataPathPort: 4789,
    forceNewCluster: false,
    pools: undefined,
    spec: { taskHistoryLimit: 5, heartbeatPeriodNs: 1_500_000_000, annotations: { name: 'default' } },
  });
});

test.each([
  [{ AutoLockManagers: true }, true],
  [{ Spec: { EncryptionConfig: { AutoLockManagers: true } } }, true],
  [{ AutoLockManagers: false, Spec: {} }, false],
])('an init with %j locks, or not: %j', (body, autoLockManagers) => {
  expect(readInitRequest({ ListenAddr: 'x', ...body }).spec).toMatchObject({ autoLockManagers });
});

test.each([
  [{}, 'invalid ListenAddr "": invalid empty address'],
  [{ ListenAddr: 7 }, 'cannot unmarshal number'],
  [{ ListenAddr: 'x', AutoLockManagers: 'yes' }, 'cannot unmarshal string'],
  [{ ListenAddr: 'x', Spec: { CAConfig: { SigningCACert: 'x' } } }, 'docker swarm ca --rotate --ca-cert'],
  [{ ListenAddr: 'x', Availability: 'sometimes' }, 'invalid Availability: "sometimes"'],
  [{ ListenAddr: 'x', DataPathPort: 80 }, 'Datapath port number is not in valid range (1024-49151) : 80'],
  [{ ListenAddr: 'x', DataPathPort: -1 }, 'cannot unmarshal number -1'],
  [{ ListenAddr: 'x', DefaultAddrPool: ['10.0.0.0'] }, 'invalid CIDR address: 10.0.0.0'],
])('an init with %j is refused', (body, words) => {
  expect(() => readInitRequest(body)).toThrow(words);
});

test('pools are networks that do not overlap, each as large as a subnet', () => {
  expect(readPools([])).toBeUndefined();
  expect(readPools(['10.20.30.40/16', '10.30.0.0/16'])).toEqual({
    pools: ['10.20.0.0/16', '10.30.0.0/16'],
    size: 24,
  });
  expect(readPools(['10.20.0.0/16'], 29)).toMatchObject({ size: 29 });
  for (const [pools, size, words] of [
    [['10.0.0.0/8', '10.20.0.0/16'], 24, 'it overlaps with 10.0.0.0/8'],
    [['10.0.0.0/28'], 24, 'Subnet size is too small for pool: 24'],
    [['10.0.0.0/8'], 30, 'subnet size is out of range: 30'],
    [['fd00::/64'], 24, 'invalid default address pool'],
    [['10.0.0.256/8'], 24, 'invalid default address pool'],
    [['10.0.0.0/33'], 24, 'invalid default address pool'],
  ] as const)
    expect(() => readPools(pools, size)).toThrow(words);
});

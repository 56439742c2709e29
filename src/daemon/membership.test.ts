import { expect, test } from 'vitest';
import { createLog } from '../base/log.ts';
import { parseEngineAddress } from '../engine/index.ts';
import { LocalEngine } from './local-engine.ts';
import { Membership } from './membership.ts';
import { FakeEngine } from './testing/fake-engine.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LOCAL = {
  nodeId: 'own',
  listen: { host: '0.0.0.0', port: 2377 },
  advertise: { host: '10.0.0.1', port: 2377 },
  dataPath: '',
  source: { device: 'eth0', isNamed: false },
};

/** Runs a membership; its waits end at once, and after `looks` of them it is stopped. Gives what was said after each. */
async function watch(
  prepare: (engine: FakeEngine) => void,
  looks: number,
): Promise<{ said: string[]; engine: FakeEngine }> {
  const disk = mkdtempSync(join(tmpdir(), 'membership-'));
  const fake = await new FakeEngine(join(disk, 'engine.sock')).start();
  fake.becomes = 'own';
  prepare(fake);
  const engine = new LocalEngine(parseEngineAddress(`unix://${fake.path}`));
  const stop = new AbortController();
  const said: string[] = [];
  const clock = {
    nowMs: () => 0,
    pause: async () => {
      said.push(membership.trouble);
      if (said.length >= looks) stop.abort();
    },
  };
  const token = (): Promise<string> => Promise.resolve('TOKEN');
  const membership = new Membership({
    ...{ engine, local: LOCAL, token, clock, log: createLog('fatal') },
    managers: () => ['10.0.0.1:2377'],
    isOwn: (ip) => ip === '10.0.0.1',
  });
  await membership.run(stop.signal);
  await engine.close();
  await fake.stop();
  rmSync(disk, { recursive: true });
  return { said, engine: fake };
}

const state = (LocalNodeState: string, NodeID: string, Error = ''): FakeEngine['swarm'] => ({
  LocalNodeState,
  NodeID,
  Error,
});
const changes = (engine: FakeEngine): string[] => engine.asked.filter((one) => one.startsWith('POST'));

test('an engine that is where it belongs is let be', async () => {
  const { said, engine } = await watch((one) => (one.swarm = state('active', 'own')), 2);
  expect(said).toEqual(['', '']);
  expect(changes(engine)).toEqual([]);
});

test('one that left joins again under its id', async () => {
  const { said, engine } = await watch(() => undefined, 1);
  expect(said).toEqual(['']);
  expect(engine.joined).toMatchObject({ JoinToken: 'TOKEN', RemoteAddrs: ['10.0.0.1:2377'] });
});

test('one of another swarm is left alone, and told of', async () => {
  const { said, engine } = await watch((one) => (one.swarm = state('active', 'other')), 2);
  expect(said.at(-1)).toContain('part of another swarm (node other)');
  expect(changes(engine)).toEqual([]);
});

test('one that does not get in says why, and is asked again', async () => {
  const { said, engine } = await watch((one) => (one.refusal = 'no way in'), 2);
  expect(said).toEqual(['no way in', 'no way in']);
  expect(changes(engine).filter((one) => one.endsWith('/swarm/join'))).toHaveLength(2);
});

test('one whose certificate ended while it was off comes back as a fresh one', async () => {
  const error = expiredOf('own');
  const { said, engine } = await watch((one) => (one.swarm = state('error', '', error)), 2);
  expect(said[0]).toContain('certificate has expired');
  expect(said[1]).toBe('');
  expect(engine.swarm).toEqual(state('active', 'own'));
});

test('one of another node whose certificate ended is left alone', async () => {
  const { said, engine } = await watch((one) => (one.swarm = state('error', '', expiredOf('other'))), 2);
  expect(said[1]).toContain('the swarm state of this host');
  expect(changes(engine)).toEqual([]);
});

const expiredOf = (nodeId: string): string =>
  `error while loading TLS certificate in /var/lib/docker/swarm/certificates/swarm-node.crt: certificate (1 - ${nodeId}) ` +
  'not valid after Sun, 22 Nov 2026 01:19:16 UTC, and it is currently Sun, 22 Nov 2026 01:19:22 UTC: ' +
  'x509: certificate has expired or is not yet valid: ';

test('one that still has the address that the host had joins again, once', async () => {
  const former = { ...state('active', 'own'), NodeAddr: '10.0.0.7' };
  const { engine } = await watch((one) => (one.swarm = former), 4);
  expect(changes(engine)).toEqual(['POST /swarm/leave?force=1', 'POST /swarm/join']);
  expect(engine.joined).toMatchObject({ AdvertiseAddr: '', RemoteAddrs: ['10.0.0.1:2377'] });
});

test('one that looks for managers which are nowhere any more joins again', async () => {
  const { engine } = await watch((one) => {
    one.swarm = { ...state('pending', 'own'), NodeAddr: '10.0.0.1' };
    one.managers = ['10.0.0.7:2377'];
  }, 5);
  expect(changes(engine)).toEqual(['POST /swarm/leave?force=1', 'POST /swarm/join']);
});

test('one that still knows a manager is let be', async () => {
  const { engine } = await watch((one) => {
    one.swarm = { ...state('pending', 'own'), NodeAddr: '10.0.0.1' };
    one.managers = ['10.0.0.7:2377', '10.0.0.1:2377'];
  }, 8);
  expect(changes(engine)).toEqual([]);
});

test('one that is down is told of in words', async () => {
  const { said } = await watch((one) => void one.stop(), 1);
  expect(said[0]).toContain('Cannot connect to the Docker daemon at unix://');
});

test('one that is stopping has not left', async () => {
  const { said, engine } = await watch((one) => {
    one.isStopping = true;
  }, 1);
  expect(said[0]).toMatch(/^Cannot connect to the Docker daemon/);
  expect(changes(engine)).toEqual([]);
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parseEngineAddress } from '../engine/index.ts';
import { joinEngineSurely } from './engine-swarm.ts';
import { LocalEngine } from './local-engine.ts';
import { FakeEngine } from './testing/fake-engine.ts';

const PLACE = { host: '10.0.0.1', port: 2377 };
const LOCAL = { nodeId: 'own', listen: PLACE, advertise: PLACE, dataPath: '' };
const NO_TOKEN =
  'rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster';

async function engines(): Promise<{ fake: FakeEngine; engine: LocalEngine }> {
  const disk = mkdtempSync(join(tmpdir(), 'engine-'));
  const fake = await new FakeEngine(join(disk, 'engine.sock')).start();
  const engine = new LocalEngine(parseEngineAddress(`unix://${fake.path}`));
  onTestFinished(async () => {
    await engine.close();
    await fake.stop();
    rmSync(disk, { recursive: true });
  });
  return { fake, engine };
}

test('an engine comes in with another token when the leader that gave one leads no more', async () => {
  const { fake, engine } = await engines();
  fake.refusal = NO_TOKEN;
  const asked: string[] = [];
  await joinEngineSurely(engine, LOCAL, 'first', () => {
    asked.push(String(fake.joined['JoinToken']));
    if (asked.length === 1) return Promise.reject(new Error(NO_TOKEN));
    fake.refusal = undefined;
    return Promise.resolve('second');
  });
  expect(asked).toEqual(['first', 'first']);
  expect(fake.joined['JoinToken']).toBe('second');
});

test('an engine that refuses for another reason is asked once', async () => {
  const { fake, engine } = await engines();
  fake.refusal = 'no room';
  const token = (): Promise<string> => Promise.resolve('second');
  await expect(joinEngineSurely(engine, LOCAL, 'first', token)).rejects.toThrow('no room');
  expect(fake.joined['JoinToken']).toBe('first');
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { AlarmRequest_AlarmAction as Action, AlarmType } from '../../proto/generated/etcd/rpc_pb.js';
import { SYSTEM_TIMES } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import {
  clientUrl,
  endpointOf,
  ensembleStatus,
  followMembers,
  forgetHistory,
  runCare,
  type LocalMember,
} from '../../src/ensemble/index.ts';
import { createCluster, findCluster, type EtcdClient } from '../../src/store/index.ts';
import { until } from '../hosts/index.ts';
import { asked } from './member-place.ts';
import { startEnsemble } from './three-members.ts';

const SOON_MS = 30_000;

function openClient(member: LocalMember): EtcdClient {
  const client = member.client();
  onTestFinished(() => client.close());
  return client;
}

/** Has it looked after; ends with the test, or before. */
function care(member: LocalMember, client: EtcdClient): { lines: string[]; end: () => Promise<void> } {
  const lines: string[] = [];
  const over = new AbortController();
  const options = {
    client,
    clientOf: (endpoints: readonly string[]) => member.clientOf(endpoints),
    clock: SYSTEM_TIMES,
    log: createLog('info', { write: (text) => lines.push(text) }),
    everyMs: 200,
    worthBytes: 4 * 1024 ** 2,
  };
  const running = runCare(options, over.signal);
  const end = async (): Promise<void> => {
    over.abort();
    await running;
  };
  onTestFinished(end);
  return { lines, end };
}

async function put(client: EtcdClient, key: string, bytes: number): Promise<bigint> {
  const value = { key: Buffer.from(key), value: Buffer.alloc(bytes, key) };
  const { header } = await client.txn({ success: [{ request: { case: 'requestPut', value } }] }, asked());
  return header?.revision ?? 0n;
}

it('gives room back to the disk when enough has come free', async () => {
  const [{ member }] = await startEnsemble(1);
  const client = openClient(member);
  let last = 0n;
  for (let round = 0; round < 24; round++) last = await put(client, '/x', 500_000);
  const dbBytes = async (): Promise<number> => {
    const { members } = await ensembleStatus(client, (endpoints) => member.clientOf(endpoints), asked());
    return members[0]?.answer?.dbBytes ?? 0;
  };
  // etcd writes to the file a moment later.
  const before = await until('all is in the file', SOON_MS, async () => {
    const bytes = await dbBytes();
    return bytes > 10_000_000 ? bytes : undefined;
  });
  await client.call(asked(), 'once', (wire, options) =>
    wire.kv.compact({ revision: last, physical: true }, options),
  );
  const { lines } = care(member, client);
  await until('the file is smaller', SOON_MS, async () => {
    // etcd counts what came free with its next write.
    await put(client, '/y', 1);
    return (await dbBytes()) < before / 2 ? true : undefined;
  });
  await until('it is told', SOON_MS, () => (lines.length > 0 ? true : undefined));
  expect(lines.join('')).toContain('A member of etcd gave room back to its disk');
});

it('keeps nothing of what was overwritten, also in its file, when that is asked for', async () => {
  const [{ member, folder }] = await startEnsemble(1);
  const client = openClient(member);
  const [plain, sealed] = ['what-was-plain', 'what-is-sealed'];
  const write = (text: string) =>
    client.txn(
      {
        success: [
          { request: { case: 'requestPut', value: { key: Buffer.from('/x'), value: Buffer.from(text) } } },
        ],
      },
      asked(),
    );
  const file = (): string => readFileSync(join(folder.data, 'member/snap/db'), 'latin1');
  await write(plain);
  await until('it is in the file', SOON_MS, () => (file().includes(plain) ? true : undefined));
  await write(sealed);
  const clientOf = (endpoints: readonly string[]) => member.clientOf(endpoints);
  await forgetHistory({ client, clientOf, log: createLog('fatal') }, asked().signal);
  await until('the new one is', SOON_MS, () => (file().includes(sealed) ? true : undefined));
  expect(file()).not.toContain(plain);
  // There is nothing more to forget.
  await forgetHistory({ client, clientOf, log: createLog('fatal') }, asked().signal);
});

it('makes an etcd that is full take writes again', async () => {
  const [{ member, id }] = await startEnsemble(1);
  const client = openClient(member);
  await createCluster(client, '/skep', 'swarm1', asked());
  await client.call(asked(), 'again', (wire, options) =>
    wire.maintenance.alarm(
      { action: Action.ACTIVATE, memberID: BigInt(`0x${id}`), alarm: AlarmType.NOSPACE },
      options,
    ),
  );
  await expect(put(client, '/x', 10)).rejects.toThrow(/space exceeded/);
  const { lines } = care(member, client);
  await until('it is written again', SOON_MS, async () =>
    (await put(client, '/x', 10)) > 0n ? true : undefined,
  );
  await until('it is told', SOON_MS, () =>
    lines.join('').includes('etcd has room again') ? true : undefined,
  );
  expect(await findCluster(client, '/skep', asked())).toBe('swarm1');
});

it(
  'has a client know the members that come, so that it goes on when its own dies',
  { timeout: 120_000 },
  async () => {
    const [one, two, three] = await startEnsemble(3);
    const client = openClient(one.member);
    await createCluster(client, '/skep', 'swarm1', asked());
    const over = new AbortController();
    onTestFinished(() => over.abort());
    void followMembers({ client, clock: SYSTEM_TIMES, everyMs: 100 }, over.signal);
    await until('it knows all three', SOON_MS, () =>
      [one, two, three].every(
        (each) => each && client.where.includes(endpointOf(clientUrl(each.member.config))),
      )
        ? true
        : undefined,
    );
    await one.member.stop();
    expect(await findCluster(client, '/skep', asked())).toBe('swarm1');
  },
);

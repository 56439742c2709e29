import { expect, it, onTestFinished } from 'vitest';
import {
  admitMember,
  ensembleStatus,
  listMembers,
  peerUrl,
  removeMember,
  setPeerUrl,
  type EnsembleStatus,
} from '../../src/ensemble/index.ts';
import { createCluster, findCluster } from '../../src/store/index.ts';
import { until } from '../hosts/index.ts';
import { asked, newMember, serving } from './member-place.ts';
import { program } from './member-program.ts';
import { clientOfAll, joinMember, startEnsemble } from './three-members.ts';

const SOON_MS = 30_000;

it('grows to three, goes on when one dies, and takes it back', { timeout: 120_000 }, async () => {
  const members = await startEnsemble(3);
  const [one, two, three] = members;
  const client = clientOfAll(members);
  const status = (): Promise<EnsembleStatus> =>
    ensembleStatus(client, (endpoints) => one.member.clientOf(endpoints), { signal: asked().signal });
  const all = await until('all three are well', SOON_MS, async () => {
    const found = await status();
    return found.spare === 1 ? found : undefined;
  });
  expect(all).toMatchObject({ hasQuorum: true, spare: 1 });
  expect(all.members.map(({ name }) => name).sort()).toEqual(['one', 'three', 'two']);
  expect(all.members.filter(({ answer }) => answer?.leads)).toHaveLength(1);
  expect(all.members.every(({ answer }) => answer?.version.startsWith('3.4.') && answer.usedBytes > 0)).toBe(
    true,
  );
  await createCluster(client, '/skep', 'swarm1', asked());
  await three?.member.stop();
  const fewer = await until('one is missed', SOON_MS, async () => {
    const found = await status();
    return found.spare === 0 ? found : undefined;
  });
  expect(fewer.hasQuorum).toBe(true);
  expect(fewer.members.find(({ name }) => name === 'three')?.trouble).toContain("can't be reached");
  expect(await findCluster(client, '/skep', asked())).toBe('swarm1');
  await two?.member.stop();
  await until('there is no majority', SOON_MS, async () => ((await status()).hasQuorum ? undefined : true));
  const again = await serving(two?.folder ?? expect.fail());
  await until('there is one again', SOON_MS, async () => ((await status()).hasQuorum ? true : undefined));
  expect(await findCluster(client, '/skep', asked())).toBe('swarm1');
  await again.member.stop();
});

it('starts a member although another one went when it had been admitted', { timeout: 120_000 }, async () => {
  const [one, two] = await startEnsemble(2);
  const client = one.member.client();
  onTestFinished(() => client.close());
  const three = await joinMember(
    one,
    'three',
    {},
    { beforeStart: () => removeMember(client, two?.id ?? '', asked()) },
  );
  expect((await listMembers(client, asked())).map(({ name }) => name).sort()).toEqual(['one', 'three']);
  await three.member.stop();
});

it('loses a member that is removed, which is told and does not come back', { timeout: 120_000 }, async () => {
  const members = await startEnsemble(2);
  const [one, two] = members;
  const client = one.member.client();
  onTestFinished(() => client.close());
  await two?.member.stop();
  // Alone, one of two has no majority.
  await expect(removeMember(client, two?.id ?? '', asked(1_500))).rejects.toMatchObject({
    code: 'unavailable',
  });
  const failures: unknown[] = [];
  const back = await serving(two?.folder ?? expect.fail(), { onFailed: (error) => failures.push(error) });
  await removeMember(client, two?.id ?? '', asked());
  await removeMember(client, two?.id ?? '', asked());
  await until('it is told', SOON_MS, () => (failures.length > 0 ? true : undefined));
  expect(failures).toMatchObject([
    { code: 'conflict', message: expect.stringContaining('was removed') as string },
  ]);
  await back.member.stop();
  await until('the other is alone', SOON_MS, async () =>
    (await listMembers(client, asked())).length === 1 ? true : undefined,
  );
  await createCluster(client, '/skep', 'swarm1', asked());
  // The same host may come back as a new member.
  const again = await joinMember(one, 'two');
  expect(again.id).not.toBe(two?.id);
  expect(await findCluster(clientOfAll([again]), '/skep', asked())).toBe('swarm1');
});

it(
  'has members of etcd 3.4 and 3.5 side by side, and changes one for the other',
  { timeout: 120_000 },
  async () => {
    const [one] = await startEnsemble(1);
    const two = await joinMember(one, 'two', { program: await program('3.5') });
    await createCluster(clientOfAll([one]), '/skep', 'swarm1', asked());
    expect(await findCluster(clientOfAll([two]), '/skep', asked())).toBe('swarm1');
    await one.member.stop();
    await serving(one.folder, { program: await program('3.5') });
    const client = clientOfAll([one, two]);
    const status = await until('both are newer', SOON_MS, async () => {
      const found = await ensembleStatus(client, (at) => two.member.clientOf(at), { signal: asked().signal });
      return found.members.every(({ answer }) => answer?.version.startsWith('3.5.')) ? found : undefined;
    });
    expect(status.hasQuorum).toBe(true);
    expect(await findCluster(client, '/skep', asked())).toBe('swarm1');
  },
);

it('admits the same member once, and another in the place of one that never came', async () => {
  const [one] = await startEnsemble(1);
  const client = one.member.client();
  onTestFinished(() => client.close());
  const [two, three] = [await newMember('two'), await newMember('three')];
  const first = await admitMember(client, { name: 'two', peerUrl: peerUrl(two) }, asked());
  expect(first.initialCluster.split(',').sort()).toEqual(
    [`one=${peerUrl(one.member.config)}`, `two=${peerUrl(two)}`].sort(),
  );
  expect(await admitMember(client, { name: 'two', peerUrl: peerUrl(two) }, asked())).toEqual(first);
  const second = await admitMember(client, { name: 'three', peerUrl: peerUrl(three) }, asked());
  expect(second.initialCluster).toContain(`three=${peerUrl(three)}`);
  expect((await listMembers(client, asked())).map(({ id }) => id)).not.toContain(first.member.id);
  // Nothing depends on one that never came.
  await createCluster(client, '/skep', 'swarm1', asked());
});

it('follows a member that has got another address', { timeout: 120_000 }, async () => {
  const members = await startEnsemble(3);
  const [one, two, three] = members;
  const moved = two ?? expect.fail();
  await moved.member.move({ host: '127.0.0.2', listen: '127.0.0.2' });
  await moved.member.serves(asked());
  const own = moved.member.client();
  onTestFinished(() => own.close());
  await setPeerUrl(own, moved.id, peerUrl(moved.member.config), asked());
  const client = one.member.client();
  onTestFinished(() => client.close());
  await until('the others know', SOON_MS, async () => {
    const found = (await listMembers(client, asked())).find(({ id }) => id === moved.id);
    return found?.peerUrls[0]?.includes('127.0.0.2') === true &&
      found.clientUrls[0]?.includes('127.0.0.2') === true
      ? true
      : undefined;
  });
  // It counts for a majority: without the third, it and the first are one.
  await three?.member.stop();
  await createCluster(client, '/skep', 'swarm1', asked());
  expect(await findCluster(own, '/skep', asked())).toBe('swarm1');
});

it('goes on alone when the others are lost', { timeout: 120_000 }, async () => {
  const members = await startEnsemble(3);
  const [one, two, three] = members;
  await createCluster(clientOfAll(members), '/skep', 'swarm1', asked());
  await Promise.all([two?.member.stop(), three?.member.stop()]);
  await one.member.stop();
  one.folder.write({ ...one.member.config, alone: true });
  const { member } = await serving(one.folder);
  const client = member.client();
  onTestFinished(() => client.close());
  expect(await findCluster(client, '/skep', asked())).toBe('swarm1');
  expect((await listMembers(client, asked())).map(({ name }) => name)).toEqual(['one']);
  expect(one.folder.read()?.alone).toBeUndefined();
  await member.stop();
  const again = await serving(one.folder);
  const other = again.member.client();
  onTestFinished(() => other.close());
  expect(await findCluster(other, '/skep', asked())).toBe('swarm1');
});

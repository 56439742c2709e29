import { beforeEach, expect, test } from 'vitest';
import type { MemberInfo } from '../ensemble/index.ts';
import type { CaredSwarm, WorkerHost } from '../manager/index.ts';
import { WitnessChoice } from './witness-choice.ts';

/** One leader's choice, with a clock that the tests move. */
const MINUTE_MS = 60_000;

let nowMs = 0;
let choice: WitnessChoice;
beforeEach(() => {
  nowMs = 0;
  choice = new WitnessChoice({ nowMs: () => nowMs });
});

const host = (id: string, more: Partial<WorkerHost> = {}): WorkerHost => ({
  id,
  canKeep: more.storeMember !== 'never',
  storeMember: 'auto',
  ...more,
});
const member = (name: string, more: Partial<MemberInfo> = {}): MemberInfo => ({
  id: `member-${name}`,
  name,
  peerUrls: [],
  clientUrls: [],
  isLearner: false,
  ...more,
});
const swarm = ({
  hosts = [],
  witness,
  managers = 2,
  removed = [],
}: {
  hosts?: WorkerHost[];
  witness?: string;
  managers?: number;
  removed?: string[];
}): CaredSwarm => ({
  managers,
  hosts,
  witness,
  isManager: () => false,
  isNode: (id) => !removed.includes(id),
  wishWitness: () => undefined,
  showWitness: () => Promise.resolve(),
});
/** What one look decides: the witness that stays, the node that is to be it, and who goes. */
const look = (others: MemberInfo[], facts: Parameters<typeof swarm>[0]) => {
  const { witness, nodeId, nobodys } = choice.plan(others, swarm(facts));
  return { witness: witness?.name, nodeId, goes: nobodys.map(({ name }) => name) };
};

test('two managers have the worker that was heard of first; one and three have none', () => {
  const hosts = [host('a', { canKeep: false }), host('b'), host('c')];
  expect(look([], { hosts })).toEqual({ witness: undefined, nodeId: 'b', goes: [] });
  for (const managers of [1, 3])
    expect(look([member('b')], { hosts, managers, witness: 'b' })).toEqual({
      witness: undefined,
      nodeId: undefined,
      goes: ['b'],
    });
  expect(look([], {})).toMatchObject({ nodeId: undefined });
});

test('a host that wants to be it comes before all others, and one that refuses never is', () => {
  const hosts = [host('a', { storeMember: 'never' }), host('b'), host('c', { storeMember: 'wanted' })];
  expect(look([], { hosts })).toMatchObject({ nodeId: 'c' });
  // The one that is goes for it, once.
  const stays = look([member('b')], { hosts: [host('b'), host('d')], witness: 'b' });
  expect(stays).toMatchObject({ witness: 'b' });
  choice = new WitnessChoice({ nowMs: () => nowMs });
  expect(look([member('b')], { hosts, witness: 'b' })).toEqual({
    witness: undefined,
    nodeId: 'c',
    goes: ['b'],
  });
  // Until it is gone it is not looked at again.
  expect(look([member('b')], { hosts, witness: 'b' })).toMatchObject({ nodeId: 'c', goes: ['b'] });
  // The one that wanted to be failed, and another one is again: it stays.
  nowMs += 2 * MINUTE_MS;
  expect(look([], { hosts })).toMatchObject({ nodeId: 'b' });
  expect(look([member('b', { id: 'again' })], { hosts, witness: 'b' })).toMatchObject({ witness: 'b' });
});

test('a witness whose host refuses from now on goes', () => {
  const hosts = [host('b', { storeMember: 'never' }), host('c')];
  expect(look([member('b')], { hosts, witness: 'b' })).toEqual({
    witness: undefined,
    nodeId: 'c',
    goes: ['b'],
  });
});

test('a witness whose node was removed goes, and another host is the next', () => {
  expect(look([member('b')], { hosts: [host('c')], witness: 'b', removed: ['b'] })).toEqual({
    witness: undefined,
    nodeId: 'c',
    goes: ['b'],
  });
});

test('a witness that is not heard of is replaced after ten minutes, if there is another host', () => {
  const others = [member('b')];
  expect(look(others, { hosts: [host('b')], witness: 'b' })).toMatchObject({ witness: 'b' });
  nowMs += 9 * MINUTE_MS;
  expect(look(others, { hosts: [host('c')], witness: 'b' })).toMatchObject({ witness: 'b', goes: [] });
  nowMs += 2 * MINUTE_MS;
  expect(look(others, { witness: 'b' })).toMatchObject({ witness: 'b', goes: [] });
  expect(look(others, { hosts: [host('c')], witness: 'b' })).toEqual({
    witness: undefined,
    nodeId: 'c',
    goes: ['b'],
  });
});

test('what a demoted manager has left is the third vote, if its host is there', () => {
  const others = [member('b')];
  expect(look(others, { hosts: [host('c')] })).toEqual({ witness: 'b', nodeId: 'b', goes: [] });
  nowMs += 10_000;
  expect(look(others, { hosts: [host('c'), host('b')] })).toMatchObject({ witness: 'b' });
  nowMs += MINUTE_MS;
  expect(look(others, { hosts: [host('c'), host('b')] })).toMatchObject({ witness: 'b' });
  // It is shown as the witness once its host was heard of, and has a vote.
  expect(choice.plan(others, swarm({ hosts: [host('b')] })).shown).toBe('b');
  expect(choice.plan(others, swarm({})).shown).toBeUndefined();
  expect(choice.plan([member('b', { isLearner: true })], swarm({ witness: 'b' })).shown).toBeUndefined();
  // Another one was off.
  expect(look([member('d')], {})).toMatchObject({ witness: 'd' });
  nowMs += MINUTE_MS;
  expect(look([member('d')], {})).toEqual({ witness: undefined, nodeId: undefined, goes: ['d'] });
});

test('a host that was chosen and does not come has its next turn after the others', () => {
  const hosts = [host('a'), host('b')];
  expect(look([], { hosts })).toMatchObject({ nodeId: 'a' });
  nowMs += 30_000;
  const learner = member('', { id: 'admitted', isLearner: true });
  expect(look([learner], { hosts })).toMatchObject({ nodeId: 'a', goes: [''] });
  nowMs += MINUTE_MS;
  expect(look([learner], { hosts })).toMatchObject({ nodeId: 'b' });
  nowMs += MINUTE_MS;
  expect(look([], { hosts })).toMatchObject({ nodeId: 'a' });
  // It comes, and gets no vote.
  const started = member('a', { isLearner: true });
  expect(look([started], { hosts })).toMatchObject({ witness: 'a' });
  nowMs += 3 * MINUTE_MS;
  expect(look([started], { hosts })).toMatchObject({ nodeId: 'b', goes: ['a'] });
});

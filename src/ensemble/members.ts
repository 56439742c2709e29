import { backoffMs } from '../base/async.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import type { EtcdClient } from '../store/index.ts';

/** One member, as the others know it. */
export interface MemberInfo {
  /** etcd's, in hexadecimal digits as its tools show it. */
  readonly id: string;
  /** Empty until it has started for the first time. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  /** It has no vote yet. */
  readonly isLearner: boolean;
}

export interface MembersAsked {
  readonly signal: AbortSignal;
  /** Of the whole, with what is waited for. */
  readonly limitMs?: number;
}

const LIMIT_MS = 30_000;
const ATTEMPT_MS = 5_000;
const [FIRST_PAUSE_MS, LAST_PAUSE_MS] = [100, 1_000];
/** A learner that has not started after so long keeps others out no more: etcd 3.4 has one at a time. */
const IDLE_MS = 15_000;
/** What passes: members that have just started, one that is behind, an election. */
const PASSING =
  /unhealthy cluster|not enough started members|in sync with leader|too many learner|leader changed|no leader|request timed out|not capable/i;

/** All members, as far as the one that is asked knows. Rejects with `unavailable`. */
export async function listMembers(
  client: EtcdClient,
  { signal, limitMs }: MembersAsked,
): Promise<MemberInfo[]> {
  const { members } = await client.call(
    { signal, deadlineMs: limitMs ?? ATTEMPT_MS },
    'again',
    (wire, options) => wire.cluster.memberList({ linearizable: true }, options),
  );
  return members.map(({ ID, name, peerURLs, clientURLs, isLearner }) => ({
    id: ID.toString(16),
    name,
    peerUrls: peerURLs,
    clientUrls: clientURLs,
    isLearner,
  }));
}

/**
 * Admits a member, as a learner that has no vote, so that nothing depends on it before it runs; again for the same peer URL, it is
 * the same one. Waits while the others are busy with another one; a learner that never starts is removed for it. Returns
 * the member and what it has to be started with. Rejects with `unavailable` after the limit.
 */
export async function admitMember(
  client: EtcdClient,
  { name, peerUrl }: { readonly name: string; readonly peerUrl: string },
  asked: MembersAsked,
): Promise<{ readonly member: MemberInfo; readonly initialCluster: string }> {
  const idleSince = client.clock.nowMs();
  return untilDone(client, asked, async (one) => {
    const members = await listMembers(client, one);
    const member = members.find(({ peerUrls }) => peerUrls.includes(peerUrl));
    if (member) return { member, initialCluster: initialCluster(members, member, name) };
    const idle = members.find((other) => other.isLearner && other.name === '');
    if (idle && client.clock.nowMs() - idleSince >= IDLE_MS) await removeMember(client, idle.id, one);
    await client.call({ signal: one.signal, deadlineMs: ATTEMPT_MS }, 'once', (wire, options) =>
      wire.cluster.memberAdd({ peerURLs: [peerUrl], isLearner: true }, options),
    );
    // What became of it is in the list.
    return undefined;
  });
}

/** Gives a learner its vote, as soon as it has what the others have. Rejects with `unavailable` after the limit. */
export async function promoteMember(client: EtcdClient, id: string, asked: MembersAsked): Promise<void> {
  await untilDone(client, asked, async (one) => {
    const member = (await listMembers(client, one)).find((other) => other.id === id);
    if (!member) throw new SwarmError('not-found', `etcd has no member ${id}`);
    if (!member.isLearner) return true;
    await client.call({ signal: one.signal, deadlineMs: ATTEMPT_MS }, 'once', (wire, options) =>
      wire.cluster.memberPromote({ ID: idOf(id) }, options),
    );
    return undefined;
  });
}

/**
 * Removes a member; nothing happens where it is gone. Rejects with `unavailable` where those that remain would have no majority, or
 * there is none now.
 */
export async function removeMember(client: EtcdClient, id: string, asked: MembersAsked): Promise<void> {
  await untilDone(client, asked, async (one) => {
    const members = await listMembers(client, one);
    if (!members.some((other) => other.id === id)) return true;
    await client.call({ signal: one.signal, deadlineMs: ATTEMPT_MS }, 'once', (wire, options) =>
      wire.cluster.memberRemove({ ID: idOf(id) }, options),
    );
    return undefined;
  });
}

/** Tells the members that one of them is reached elsewhere. */
export async function setPeerUrl(
  client: EtcdClient,
  id: string,
  peerUrl: string,
  asked: MembersAsked,
): Promise<void> {
  await untilDone(client, asked, async (one) => {
    const member = (await listMembers(client, one)).find((other) => other.id === id);
    if (!member) throw new SwarmError('not-found', `etcd has no member ${id}`);
    if (member.peerUrls.length === 1 && member.peerUrls[0] === peerUrl) return true;
    await client.call({ signal: one.signal, deadlineMs: ATTEMPT_MS }, 'once', (wire, options) =>
      wire.cluster.memberUpdate({ ID: idOf(id), peerURLs: [peerUrl] }, options),
    );
    return undefined;
  });
}

/** Tries again and again: `attempt` looks at how things are, does one step, and is done when it returns something. */
async function untilDone<T>(
  client: EtcdClient,
  { signal, limitMs = LIMIT_MS }: MembersAsked,
  attempt: (asked: MembersAsked) => Promise<T | undefined>,
): Promise<T> {
  const endMs = client.clock.nowMs() + limitMs;
  for (let tries = 0; ; tries++) {
    signal.throwIfAborted();
    let trouble: SwarmError | undefined;
    try {
      await checkMajority(client, { signal, limitMs: Math.max(1, endMs - client.clock.nowMs()) });
      const found = await attempt({ signal, limitMs: Math.max(1, endMs - client.clock.nowMs()) });
      if (found !== undefined) return found;
    } catch (error) {
      if (!passes(error)) throw error;
      trouble = error;
    }
    const pauseMs =
      trouble === undefined ? 0 : backoffMs(tries, FIRST_PAUSE_MS, LAST_PAUSE_MS, client.random);
    if (client.clock.nowMs() + pauseMs >= endMs)
      throw trouble ?? new SwarmError('unavailable', `${client.where} did not do it in time`);
    await client.clock.pause(pauseMs, signal);
  }
}

/**
 * Without a majority nothing is asked for: etcd would keep a change of its members, and do it when they are back. The member that
 * answers knows all that was done before.
 */
async function checkMajority(
  client: EtcdClient,
  { signal, limitMs = LIMIT_MS }: MembersAsked,
): Promise<void> {
  const deadlineMs = Math.min(limitMs, ATTEMPT_MS);
  await client.range({ key: Buffer.from('/'), limit: 1n }, { signal, deadlineMs });
}

function passes(error: unknown): error is SwarmError {
  if (!(error instanceof SwarmError) || error.code !== 'unavailable') return false;
  return !('outcome' in error && error.outcome === 'refused') || PASSING.test(messageOf(error));
}

/** What a member is started with for the first time. Those that have never started have no name yet; etcd compares their URLs. */
export function initialCluster(members: readonly MemberInfo[], member: MemberInfo, name: string): string {
  return members
    .flatMap((one) =>
      one.peerUrls.map((url) => `${one.id === member.id ? name : one.name || `new-${one.id}`}=${url}`),
    )
    .join(',');
}

function idOf(id: string): bigint {
  return BigInt(`0x${id}`);
}

import { messageOf } from '../base/errors.ts';
import type { EtcdClient } from '../store/index.ts';
import { listMembers, type MemberInfo } from './members.ts';
import { endpointOf } from './places.ts';

/** How one member is. */
export interface MemberHealth extends MemberInfo {
  /** Undefined where it does not answer, and then `trouble` says why. */
  readonly answer?: MemberAnswer;
  readonly trouble?: string;
}

export interface MemberAnswer {
  readonly version: string;
  /** It leads the others. */
  readonly leads: boolean;
  /** It knows who leads; otherwise it is cut off from a majority. */
  readonly hasLeader: boolean;
  /** On its disk; what of it is in use. */
  readonly dbBytes: number;
  readonly usedBytes: number;
  /** etcd's alarms, as it says them: `NOSPACE`, `CORRUPT`. */
  readonly alarms: readonly string[];
}

export interface EnsembleStatus {
  readonly members: readonly MemberHealth[];
  /** Of the members with a vote, a majority answers and has a leader: the state can be written. */
  readonly hasQuorum: boolean;
  /** How many members with a vote can be lost from here on without losing that; below 0, it is lost. */
  readonly spare: number;
}

export interface StatusAsked {
  readonly signal: AbortSignal;
  /** Of each question. */
  readonly deadlineMs?: number;
}

const DEADLINE_MS = 2_000;

/**
 * How all members are, each asked by itself and all at once. `client` gives the list; `clientOf` makes a client of one. Rejects with
 * `unavailable` where nobody gives the list.
 */
export async function ensembleStatus(
  client: EtcdClient,
  clientOf: (endpoints: readonly string[]) => EtcdClient,
  { signal, deadlineMs = DEADLINE_MS }: StatusAsked,
): Promise<EnsembleStatus> {
  const listed = await listMembers(client, { signal, limitMs: deadlineMs });
  const members = await Promise.all(
    listed.map((member) => healthOf(member, clientOf, { signal, deadlineMs })),
  );
  const voters = members.filter(({ isLearner }) => !isLearner);
  const well = voters.filter(({ answer }) => answer?.hasLeader === true).length;
  const spare = well - majorityOf(voters.length);
  return { members, hasQuorum: spare >= 0, spare };
}

/** How many of so many voters it takes. */
function majorityOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

async function healthOf(
  member: MemberInfo,
  clientOf: (endpoints: readonly string[]) => EtcdClient,
  asked: Required<StatusAsked>,
): Promise<MemberHealth> {
  // One that has never started is nowhere.
  if (member.clientUrls.length === 0) return { ...member, trouble: 'it has not started yet' };
  const client = clientOf(member.clientUrls.map(endpointOf));
  try {
    const { header, leader, version, dbSize, dbSizeInUse, errors } = await client.status(asked);
    const answer: MemberAnswer = {
      version,
      leads: leader !== 0n && leader === header?.memberId,
      hasLeader: leader !== 0n,
      dbBytes: Number(dbSize),
      usedBytes: Number(dbSizeInUse),
      alarms: errors.flatMap((one) => /alarm:(\w+)/.exec(one)?.[1] ?? []),
    };
    return { ...member, answer };
  } catch (error) {
    return { ...member, trouble: messageOf(error) };
  } finally {
    client.close();
  }
}

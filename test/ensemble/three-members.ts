import { expect, onTestFinished } from 'vitest';
import {
  admitMember,
  clientUrl,
  endpointOf,
  listMembers,
  localEndpoint,
  peerUrl,
  prepareJoining,
  promoteMember,
  type LocalMember,
  type LocalMemberOptions,
  type MemberFolder,
} from '../../src/ensemble/index.ts';
import type { EtcdClient } from '../../src/store/index.ts';
import { until } from '../hosts/index.ts';
import { asked, firstFolder, memberFolder, newMember, SERVES_MS, serving } from './member-place.ts';

export interface JoinedMember {
  readonly folder: MemberFolder;
  readonly member: LocalMember;
  readonly id: string;
}

interface Joining {
  readonly promoted?: 'here' | 'by the leader';
  /** When it was admitted. */
  readonly beforeStart?: () => Promise<void>;
}

/** Has another member come in, as a host would: admitted, started, given its vote. */
export async function joinMember(
  first: JoinedMember,
  name: string,
  options: Partial<LocalMemberOptions> = {},
  { promoted = 'here', beforeStart }: Joining = {},
): Promise<JoinedMember> {
  const client = first.member.client();
  onTestFinished(() => client.close());
  const place = await newMember(name);
  const admitted = await admitMember(client, { name, peerUrl: peerUrl(place) }, asked());
  const folder = memberFolder();
  prepareJoining(
    folder,
    place,
    {
      token: first.member.config.token,
      initialCluster: admitted.initialCluster,
      others: [localEndpoint(first.member.config)],
    },
    first.folder.certificates.readCa(),
  );
  await beforeStart?.();
  const { member } = await serving(folder, options);
  if (promoted === 'here') await promoteMember(client, admitted.member.id, asked());
  await until('it has its vote', SERVES_MS, async () =>
    (await listMembers(client, asked())).some(({ id, isLearner }) => id === admitted.member.id && !isLearner)
      ? true
      : undefined,
  );
  return { folder, member, id: admitted.member.id };
}

/** An etcd of so many members. */
export async function startEnsemble(count: number): Promise<[JoinedMember, ...JoinedMember[]]> {
  const { folder } = await firstFolder();
  const { member } = await serving(folder);
  const client = member.client();
  const [only] = await listMembers(client, asked());
  client.close();
  const first: JoinedMember = { folder, member, id: only?.id ?? expect.fail() };
  const others: JoinedMember[] = [];
  for (const name of ['two', 'three'].slice(0, count - 1)) others.push(await joinMember(first, name));
  return [first, ...others];
}

/** A client of all of them. */
export function clientOfAll(members: readonly JoinedMember[]): EtcdClient {
  const [first] = members;
  const client = (first ?? expect.fail()).member.clientOf(
    members.map(({ member }) => endpointOf(clientUrl(member.config))),
  );
  onTestFinished(() => client.close());
  return client;
}

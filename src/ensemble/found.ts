import { randomBytes } from 'node:crypto';
import type { EnsembleCa } from './authority.ts';
import type { MemberConfig, MemberFolder } from './member-folder.ts';
import { peerUrl, type MemberPlace } from './places.ts';

/** A member that is to be: its name in etcd is its node's id. */
export interface NewMember extends MemberPlace {
  readonly name: string;
  /** No manager is to run beside it. */
  readonly witness?: boolean;
}

/** What a host has to be told to come into an etcd that is there. */
export interface Admission {
  readonly token: string;
  /** `name=url,…` of all members, the new one included. */
  readonly initialCluster: string;
  /** `host:port` where managers reach members with a vote. */
  readonly others: readonly string[];
}

/** Makes this host's folder that of the first member of a new etcd. Whatever was in it goes; nothing may run in it. */
export function prepareFirst(folder: MemberFolder, member: NewMember, ca: EnsembleCa): void {
  const config: MemberConfig = {
    ...member,
    // Also of one swarm, no etcd is mistaken for an earlier one.
    token: `skep-${randomBytes(12).toString('hex')}`,
    initialCluster: `${member.name}=${peerUrl(member)}`,
    comesInto: 'new',
  };
  prepare(folder, config, ca);
}

/** Makes this host's folder that of a member which the others have admitted. Whatever was in it goes; nothing may run in it. */
export function prepareJoining(
  folder: MemberFolder,
  member: NewMember,
  { token, initialCluster, others }: Admission,
  ca: EnsembleCa,
): void {
  prepare(folder, { ...member, token, initialCluster, others, comesInto: 'existing' }, ca);
}

function prepare(folder: MemberFolder, config: MemberConfig, ca: EnsembleCa): void {
  folder.wipe();
  folder.make();
  folder.certificates.keepCa(ca);
  // Last: from here on this host has a member.
  folder.write(config);
}

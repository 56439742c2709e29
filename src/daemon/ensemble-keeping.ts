import type { Times } from '../base/clock.ts';
import { hostOf } from '../base/host-port.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import {
  admitMember,
  endpointOf,
  ensembleStatus,
  listMembers,
  peerUrl,
  removeMember,
  runCare,
  runPromotion,
  USUAL_PORTS,
  type LocalMember,
} from '../ensemble/index.ts';
import type { CaredSwarm, StoreAccess, StoreKeeping } from '../manager/index.ts';
import type { EtcdClient } from '../store/index.ts';
import type { OwnEtcd } from './own-etcd.ts';
import { objectionTo } from './sole-keeping.ts';
import { WitnessChoice } from './witness-choice.ts';

export interface KeepingParts {
  readonly client: EtcdClient;
  readonly member: LocalMember;
  readonly etcd: OwnEtcd;
  readonly prefix: string;
  readonly times: Times;
  readonly log: Logger;
}

const ADMIT_MS = 25_000;
const LOOK_MS = 1_000;
/** A member that was admitted has this long until its host has become a manager. */
const NEW_MS = 60_000;

/** How the managers of a swarm come to the etcd that they keep themselves, and go from it. */
export function ensembleKeeping(parts: KeepingParts): StoreKeeping {
  const { client, member, etcd, prefix } = parts;
  return {
    objection: objectionTo,
    admit: async (nodeId, candidate, { keepsMember }) => {
      const why = objectionTo(candidate);
      if (why !== undefined) throw new SwarmError('conflict', why);
      const url = peerUrl({ host: hostOf(candidate.addr), ports: USUAL_PORTS });
      const asked = { signal: new AbortController().signal, limitMs: ADMIT_MS };
      const there = (await listMembers(client, asked)).filter(
        ({ name, peerUrls }) => name !== '' && peerUrls.includes(url),
      );
      const isKept = keepsMember && there.some(({ name }) => name === nodeId);
      // Of a host that was one before: what it has to begin with is not what that one had.
      if (!isKept) for (const { id } of there) await removeMember(client, id, asked);
      const { initialCluster } = isKept
        ? { initialCluster: '' }
        : await admitMember(client, { name: nodeId, peerUrl: url }, asked);
      const voters = (await listMembers(client, asked)).filter(({ isLearner }) => !isLearner);
      const { certPem, keyPem } = etcd.ca;
      const access: StoreAccess = {
        endpoints: voters.flatMap(({ clientUrls }) => clientUrls.map(endpointOf)),
        prefix,
        ca: certPem,
        caKey: keyPem,
        token: member.config.token,
        initialCluster,
      };
      return access;
    },
    release: (node) => requireSpare(parts, node.id),
    care: (swarm, signal) => care(parts, swarm, signal),
  };
}

/** Rejects where the members that would be left have no majority. */
async function requireSpare({ client, member }: KeepingParts, nodeId: string): Promise<void> {
  const signal = AbortSignal.timeout(ADMIT_MS);
  const { members } = await ensembleStatus(client, (endpoints) => member.clientOf(endpoints), { signal });
  const left = members.filter(({ name, isLearner }) => name !== nodeId && !isLearner);
  const well = left.filter(({ answer }) => answer?.hasLeader === true).length;
  if (left.length === members.length || well > left.length / 2) return;
  throw new SwarmError(
    'conflict',
    `of the ${left.length} managers that would be left only ${well} can be reached: the swarm could not be changed any more`,
  );
}

/** What the manager that leads does for the etcd: votes for those that come, an end for those that went, room, and health. */
async function care(parts: KeepingParts, swarm: CaredSwarm, signal: AbortSignal): Promise<void> {
  const { client, member, times, log } = parts;
  const clientOf = (endpoints: readonly string[]): EtcdClient => member.clientOf(endpoints);
  await Promise.all([
    runPromotion({ client, clock: times, log }, signal),
    runCare({ client, clientOf, clock: times, log }, signal),
    runRemoval(parts, swarm, signal),
  ]);
}

/**
 * Removes members of hosts that manage no more, until the signal fires; and has two managers have a witness: a third member, on the host
 * of a worker.
 */
async function runRemoval(
  { client, member, times, log }: KeepingParts,
  swarm: CaredSwarm,
  signal: AbortSignal,
): Promise<void> {
  /** By member: since when it has been nobody's. */
  const since = new Map<string, number>();
  const choice = new WitnessChoice(times);
  for (; !signal.aborted; await times.pause(LOOK_MS, signal)) {
    const members = await listMembers(client, { signal }).catch(() => []);
    // Nobody can say now.
    if (members.length === 0) continue;
    const others = members.filter(({ name }) => name !== member.config.name && !swarm.isManager(name));
    const { nodeId, shown, nobodys } = choice.plan(others, swarm);
    swarm.wishWitness(nodeId);
    await swarm.showWitness(shown).catch(() => undefined);
    for (const id of since.keys()) if (!nobodys.some((one) => one.id === id)) since.delete(id);
    for (const { id } of nobodys) if (!since.has(id)) since.set(id, times.nowMs());
    // Who is on the way was told who the others are.
    if (members.some(({ id, name }) => name === '' && times.nowMs() - (since.get(id) ?? -Infinity) < NEW_MS))
      continue;
    for (const { id, name, isLearner } of nobodys) {
      const firstMs = since.get(id) ?? times.nowMs();
      // One that is still to become a manager's; a manager's that went has a vote.
      if ((isLearner || name === '') && times.nowMs() - firstMs < NEW_MS) continue;
      try {
        await removeMember(client, id, { signal });
        log.info({ member: name }, 'A member of etcd was removed whose host manages no more');
      } catch (error) {
        if (!signal.aborted)
          log.warn({ member: name, err: messageOf(error) }, 'A member of etcd could not be removed yet');
      }
    }
  }
}

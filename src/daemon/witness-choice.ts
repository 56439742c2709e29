import type { Clock } from '../base/clock.ts';
import type { MemberInfo } from '../ensemble/index.ts';
import type { CaredSwarm, WorkerHost } from '../manager/index.ts';

/** What is to become of the members that belong to no manager. */
export interface WitnessPlan {
  /** The one that stays, as the third vote of two managers. */
  readonly witness: MemberInfo | undefined;
  /** The node that is to have a member as the witness: that one's, or one that has none yet. */
  readonly nodeId: string | undefined;
  /** The node that is to be shown as the witness: it has a vote, and its host was heard of. */
  readonly shown: string | undefined;
  /** They go. */
  readonly nobodys: readonly MemberInfo[];
}

/** One that is not heard of for so long is replaced by another host, if there is one: a host may be started anew meanwhile. */
const LOST_MS = 10 * 60_000;
/** What a manager that was demoted has left is worth a vote if its host is heard of by then. */
const LEFT_MS = 20_000;
/** Who was chosen and has no member after this has its next turn after the others. */
const PATIENCE_MS = 60_000;
/** A member that gets no vote within this is none that others wait for. */
const VOTE_MS = 2 * 60_000;

/**
 * Which host is the witness of two managers, in the eyes of the one that leads, for one term of it. The one that is stays it, as long
 * as its node is there and willing; else one that wants to be, else the one that was heard of first.
 */
export class WitnessChoice {
  readonly #clock: Pick<Clock, 'nowMs'>;
  /** By member: since when it is looked at, and when its host was heard of last. */
  readonly #seen = new Map<string, { readonly firstMs: number; heardMs: number }>();
  /** Members that were given up; until they are gone they are none. */
  readonly #gone = new Set<string>();
  /** By node: when it was chosen last. */
  readonly #chosenMs = new Map<string, number>();
  #chosen: string | undefined;

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock;
  }

  /** `others`: the members that belong to no manager. */
  plan(others: readonly MemberInfo[], swarm: CaredSwarm): WitnessPlan {
    const ids = new Set(others.map(({ id }) => id));
    for (const id of this.#gone) if (!ids.has(id)) this.#gone.delete(id);
    for (const id of this.#seen.keys()) if (!ids.has(id)) this.#seen.delete(id);
    if (swarm.managers !== 2) {
      this.#chosen = undefined;
      this.#chosenMs.clear();
      return { witness: undefined, nodeId: undefined, shown: undefined, nobodys: others };
    }
    const { hosts } = swarm;
    let witness = this.#current(others, swarm, hosts);
    if (witness && this.#isOver(witness, swarm.witness, hosts)) {
      this.#gone.add(witness.id);
      this.#chosen = undefined;
      witness = undefined;
    }
    const nodeId = witness?.name ?? this.#next(hosts);
    const isSeen = nodeId === swarm.witness || hosts.some(({ id }) => id === nodeId);
    const shown = witness?.isLearner === false && isSeen ? nodeId : undefined;
    return { witness, nodeId, shown, nobodys: others.filter((one) => one !== witness) };
  }

  /** The one that is shown as the witness, the one that was chosen, or what is there. */
  #current(
    others: readonly MemberInfo[],
    swarm: CaredSwarm,
    hosts: readonly WorkerHost[],
  ): MemberInfo | undefined {
    const refuses = (id: string): boolean =>
      hosts.some((host) => host.id === id && host.storeMember === 'never');
    const left = others.filter(
      ({ id, name }) => name !== '' && swarm.isNode(name) && !this.#gone.has(id) && !refuses(name),
    );
    return (
      left.find(({ name }) => name === swarm.witness) ??
      left.find(({ name }) => name === this.#chosen) ??
      left.find(({ isLearner }) => !isLearner) ??
      left[0]
    );
  }

  #isOver(
    { id, name, isLearner }: MemberInfo,
    shown: string | undefined,
    hosts: readonly WorkerHost[],
  ): boolean {
    const nowMs = this.#clock.nowMs();
    const host = hosts.find((one) => one.id === name);
    const seen = this.#seen.get(id) ?? { firstMs: nowMs, heardMs: nowMs };
    this.#seen.set(id, seen);
    if (host) seen.heardMs = nowMs;
    const silentMs = nowMs - seen.heardMs;
    const others = hosts.filter((one) => one.id !== name && one.canKeep);
    if (!host) return shown === name ? others.length > 0 && silentMs >= LOST_MS : silentMs >= LEFT_MS;
    if (isLearner && nowMs - seen.firstMs >= VOTE_MS) return others.length > 0;
    // One that has failed before does not move another one again.
    const isWanted = (one: WorkerHost): boolean =>
      one.storeMember === 'wanted' && !this.#chosenMs.has(one.id);
    return host.storeMember !== 'wanted' && others.some(isWanted);
  }

  /** Among those that could be, in turn: one that can't, though it says so, keeps nobody else from it. */
  #next(hosts: readonly WorkerHost[]): string | undefined {
    const nowMs = this.#clock.nowMs();
    const able = hosts.filter(({ canKeep }) => canKeep);
    const chosenMs = (id: string): number => this.#chosenMs.get(id) ?? -Infinity;
    const isStill = able.some(({ id }) => id === this.#chosen);
    if (this.#chosen === undefined || !isStill || nowMs - chosenMs(this.#chosen) >= PATIENCE_MS) {
      const rank = ({ storeMember }: WorkerHost): number => (storeMember === 'wanted' ? 0 : 1);
      const [best] = able.toSorted((a, b) => chosenMs(a.id) - chosenMs(b.id) || rank(a) - rank(b));
      this.#chosen = best?.id;
      if (best) this.#chosenMs.set(best.id, nowMs);
    }
    return this.#chosen;
  }
}

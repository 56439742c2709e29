import type { Leader, Term } from './etcd/lead.ts';

/** One time of leading, as the manager sees it. */
export type LeadTerm = Pick<Term, 'signal' | 'leads'>;

/** Who leads the swarm, as this host knows it. */
export interface LeadView {
  /** The term under way, where this host leads. */
  readonly term: LeadTerm | undefined;
  /** Who leads, as far as is known: this host included. */
  readonly leader: Leader | undefined;
  /** Ends the term, and lets another manager have the lead before this one tries again; none where there is no other. */
  giveBack?(): void;
  /** Called after every change of both. Returns what ends it. */
  listen(listener: () => void): () => void;
}

/** The lead in a swarm that has one manager: a term without an end. */
export function soleLead(self: Leader): LeadView {
  const term: LeadTerm = { signal: new AbortController().signal, leads: () => true };
  return { term, leader: self, listen: () => () => undefined };
}

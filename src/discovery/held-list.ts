import { messageOf } from '../base/errors.ts';
import { MAX_ENTRIES, readEntries } from './entries.ts';
import type { DiscoveryEvent } from './types.ts';

/** So many different troubles are reported between two lists. */
const MAX_TROUBLES = 20;

/** The registrations of a store at one moment. */
export interface Listing {
  /** Each registration's value and the key that names it to a person. */
  registrations: readonly { key: string; value: string }[];
  /** The store tells that what is missing was removed by somebody, not left to its ttl. */
  removed?: boolean;
  /** What a person should know of this list: shown as trouble. */
  note?: string;
}

/**
 * What of a store's changing lists reaches the pool. A store that was away may have lost its data, and then engines
 * come back one heartbeat after another: for `graceMs` after a break nothing leaves the list. The same holds for a
 * list that is empty because somebody removed everything. An engine whose ttl ran out under our eyes leaves at once.
 */
export class HeldList {
  readonly #graceMs: number;
  #shown: readonly string[] | undefined;
  #listed: readonly string[] = [];
  #note: string | undefined;
  #broken = false;
  #holdsUntil = -Infinity;
  /** The troubles that were reported after the last list: two that take turns are reported once each. */
  readonly #troubles = new Set<string>();

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  /** When `tick` is to be called, on the clock of `now`; undefined where nothing is held. */
  get heldUntil(): number | undefined {
    const holds = !this.#broken && Number.isFinite(this.#holdsUntil) && this.#missing().length > 0;
    return holds ? this.#holdsUntil : undefined;
  }

  /** The store has this list now. */
  listed(listing: Listing, now: number): DiscoveryEvent[] {
    const { addresses, badEntry } = readRegistrations(listing);
    this.#listed = addresses;
    this.#note = badEntry ?? listing.note;
    const emptied = listing.removed === true && addresses.length === 0;
    const isBack = this.#broken;
    if (isBack || emptied) this.#holdsUntil = now + this.#graceMs;
    this.#broken = false;
    return this.#show(now, isBack);
  }

  /** The store cannot be followed; without a message nobody is told. */
  broken(message?: string): DiscoveryEvent[] {
    this.#broken = true;
    return message === undefined ? [] : this.#report(message);
  }

  /** Time has passed. */
  tick(now: number): DiscoveryEvent[] {
    return this.#broken || this.#shown === undefined ? [] : this.#show(now);
  }

  /** `isBack`: the trouble that was told is over; what is left of it is told again. */
  #show(now: number, isBack = false): DiscoveryEvent[] {
    const held = now < this.#holdsUntil ? this.#missing() : [];
    const wanted = [...this.#listed, ...held];
    const trouble = held.length > 0 ? heldMessage(this.#graceMs) : this.#note;
    const recovered = trouble === undefined && (isBack || this.#troubles.size > 0);
    if (isBack) this.#troubles.clear();
    if (!recovered && this.#shown !== undefined && sameSet(this.#shown, wanted))
      return trouble === undefined ? [] : this.#report(trouble);
    this.#shown = wanted;
    this.#troubles.clear();
    const entries = wanted.map((address) => ({ address }));
    return [{ kind: 'entries', entries }, ...(trouble === undefined ? [] : this.#report(trouble))];
  }

  #report(message: string): DiscoveryEvent[] {
    if (this.#troubles.has(message) || this.#troubles.size >= MAX_TROUBLES) return [];
    this.#troubles.add(message);
    return [{ kind: 'trouble', message }];
  }

  /** Shown before, not listed now. */
  #missing(): string[] {
    const listed = new Set(this.#listed);
    return (this.#shown ?? []).filter((address) => !listed.has(address));
  }
}

/** The engines of a listing; what is no address is left out. */
export function readRegistrations({ registrations }: Listing): { addresses: string[]; badEntry?: string } {
  const addresses = new Set<string>();
  const bad: string[] = [];
  for (const { key, value } of registrations) {
    try {
      for (const { address } of readEntries([{ text: value, where: key }])) addresses.add(address);
    } catch (error) {
      bad.push(messageOf(error));
    }
    if (addresses.size > MAX_ENTRIES) break;
  }
  const all = [...addresses].slice(0, MAX_ENTRIES);
  if (addresses.size > MAX_ENTRIES)
    return { addresses: all, badEntry: `more than ${MAX_ENTRIES} nodes: the rest is left out` };
  const [first] = bad;
  if (first === undefined) return { addresses: all };
  const others = bad.length > 1 ? ` (and ${bad.length - 1} more)` : '';
  return { addresses: all, badEntry: `left out: ${first}${others}` };
}

// Without a count: it would be another trouble with every engine that comes back.
function heldMessage(graceMs: number): string {
  const seconds = Math.round(graceMs / 1000);
  return `registrations are missing from the store; the engines stay until they register again, ${seconds}s at most`;
}

function sameSet(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false;
  const known = new Set(one);
  return other.every((address) => known.has(address));
}

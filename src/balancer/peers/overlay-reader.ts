import { asString, type Json } from '../../base/json.ts';
import { addressOf } from '../rules/hardware-address.ts';
import { diffEntries, type EntryDiff } from './entry-diff.ts';
import {
  putNeighbour,
  putWay,
  removeNeighbour,
  removeWay,
  splitOverlay,
  viewOf,
  type OverlayListing,
  type OverlayView,
} from './overlay-view.ts';

/** Addresses of containers; `all` where it is not known which. */
export type Addresses = ReadonlySet<string> | 'all';

const NONE: ReadonlySet<string> = new Set();

/** What an overlay knows, by what its programs print again and again: only what differs is read. */
export class OverlayReader {
  view: OverlayView = [];
  #text: string | undefined;
  #listing: OverlayListing | undefined;
  /** Each hardware address is behind one host: of several the order says which one counts. */
  #isPlain = false;

  /** Brings the view up to date; returns the addresses that it may say something else of. Throws as `readOverlay`. */
  read(text: string): Addresses {
    if (text === this.#text) return NONE;
    const before = this.#listing;
    this.#text = this.#listing = undefined;
    const now = splitOverlay(text);
    const changed = before ? this.#change(before, now) : undefined;
    if (!changed) this.#readWhole(now);
    this.#text = text;
    this.#listing = now;
    return changed ?? 'all';
  }

  #readWhole(listing: OverlayListing): void {
    this.view = viewOf(listing);
    const ways = this.view.reduce((sum, segment) => sum + segment.ways.size, 0);
    this.#isPlain = listing.ways.split('"dst":').length - 1 === ways;
  }

  /** Undefined where it has to be read whole. */
  #change(before: OverlayListing, now: OverlayListing): Addresses | undefined {
    if (!this.#isPlain || before.links !== now.links) return undefined;
    const neighbours = diffEntries(before.neighbours, now.neighbours);
    const ways = diffEntries(before.ways, now.ways);
    if (!neighbours || !ways) return undefined;
    for (const entry of neighbours.removed) removeNeighbour(this.view, entry);
    for (const entry of neighbours.added) putNeighbour(this.view, entry);
    for (const entry of ways.removed) removeWay(this.view, entry);
    for (const entry of ways.added) if (!putWay(this.view, entry)) return undefined;
    return new Set([
      ...entriesOf(neighbours).map(({ dst }) => asString(dst)),
      ...entriesOf(ways).map(({ mac }) => addressOf(asString(mac))),
    ]);
  }
}

function entriesOf({ removed, added }: EntryDiff): Json[] {
  return [...removed, ...added];
}

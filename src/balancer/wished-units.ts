import type { ServiceEndpoints } from '../model/index.ts';
import { placeKey } from './places.ts';
import type { Flow, Frame, Rules, Unit, Wish } from './rules/types.ts';

/** What planning has changed in one place. */
export interface PlaceChange {
  readonly keys: Set<string>;
  readonly flows: Flow[];
}

/** What every place should have. */
export class WishedUnits {
  /** By place. */
  readonly frames = new Map<string, Frame>();
  readonly #units = new Map<string, Map<string, Unit>>();
  readonly #planned = new Map<
    string,
    { readonly service: ServiceEndpoints; readonly units: readonly Unit[] }
  >();
  readonly #rules: Rules;

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** A place's units by their keys. */
  unitsOf(place: string): ReadonlyMap<string, Unit> {
    return this.#units.get(place) ?? new Map<string, Unit>();
  }

  /** The units of one service, in all places. */
  unitsOfService(key: string): readonly Unit[] {
    return this.#planned.get(key)?.units ?? [];
  }

  /** Whether the service, as it was planned last, keeps its clients' addresses. */
  keepsClients(key: string): boolean {
    return this.#planned.get(key)?.service.keepClients === true;
  }

  /** Which places take part. Costs as much as there are networks and services that keep their clients' addresses. */
  planFrames(wish: Wish, keepers: Iterable<ServiceEndpoints>): void {
    this.frames.clear();
    for (const frame of this.#rules.frames(wish, keepers)) this.frames.set(placeKey(frame.place), frame);
  }

  /** Plans one service anew (undefined: it is gone), adding to `changes` by place. */
  planService(
    wish: Wish,
    key: string,
    service: ServiceEndpoints | undefined,
    changes: Map<string, PlaceChange>,
  ): void {
    const before = this.#planned.get(key);
    const units = service ? this.#rules.units(wish, service) : [];
    for (const unit of before?.units ?? []) this.#remove(unit, changes);
    for (const unit of units) this.#put(unit, changes);
    for (const flow of this.#rules.flows(wish, before?.service, service))
      changeOf(changes, placeKey(flow.place)).flows.push(flow);
    if (service) this.#planned.set(key, { service, units });
    else this.#planned.delete(key);
  }

  #put(unit: Unit, changes: Map<string, PlaceChange>): void {
    const place = placeKey(unit.place);
    const units = this.#units.get(place) ?? new Map<string, Unit>();
    this.#units.set(place, units.set(unit.key, unit));
    changeOf(changes, place).keys.add(unit.key);
  }

  #remove(unit: Unit, changes: Map<string, PlaceChange>): void {
    const place = placeKey(unit.place);
    const units = this.#units.get(place);
    // Another service may have taken the key over in the same update.
    if (units?.get(unit.key) === unit) units.delete(unit.key);
    if (units?.size === 0) this.#units.delete(place);
    changeOf(changes, place).keys.add(unit.key);
  }
}

function changeOf(changes: Map<string, PlaceChange>, place: string): PlaceChange {
  const known = changes.get(place);
  if (known) return known;
  const made: PlaceChange = { keys: new Set(), flows: [] };
  changes.set(place, made);
  return made;
}

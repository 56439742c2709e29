import { SwarmError } from '../base/errors.ts';
import { addAliases, aliasesOf, removeAliases } from './kernel/links.ts';
import type { IpLine, Kernel } from './kernel/kernel.ts';
import { clearPlace } from './clear-place.ts';
import { newSeal, type Seal } from './kernel/seal.ts';
import type { Flow, Frame, Rules, Unit } from './rules/types.ts';
import { findRefused, isLate } from './refused-units.ts';
import type { Sandbox } from './sandboxes.ts';
import type { PlaceChange } from './wished-units.ts';

/** What a place should have. */
export interface PlaceWish {
  readonly frame: Frame;
  readonly units: ReadonlyMap<string, Unit>;
}

interface InForce {
  readonly sandbox: Sandbox;
  readonly frame: Frame;
  readonly units: Map<string, Unit>;
  readonly addresses: Set<string>;
  seal: Seal;
}

/** `altered` by somebody, or gone with the namespace that the engine has `remade`, or is about to. */
export type Condition = 'intact' | 'altered' | 'remade';

/** Flows that wait for a place that does not take rules, at most; the oldest are given up. */
const MOST_FLOWS = 1000;

/**
 * The rules of one place: what is in force there, and the way from there to what should be. One call at a time.
 */
export class PlaceRules {
  readonly #kernel: Kernel;
  readonly #difference: Rules['change'];
  #inForce: InForce | undefined;
  /** Units whose lines the kernel does not take, by key, with the reason; left out until they change. */
  readonly #refused = new Map<string, { readonly unit: Unit; readonly reason: string }>();
  #dirty = new Set<string>();
  /** To be forgotten when what is dirty is in force, and those of which it is. */
  #flows: Flow[] = [];
  #ripe: Flow[] = [];
  #sound = false;
  /** Grows with every attempt, so that a check that one overtook is not believed. */
  #attempts = 0;
  #busy = false;

  constructor(kernel: Kernel, difference: Rules['change']) {
    this.#kernel = kernel;
    this.#difference = difference;
  }

  get sandbox(): Sandbox | undefined {
    return this.#inForce?.sandbox;
  }

  get refused(): readonly string[] {
    return [...new Set([...this.#refused.values()].map(({ reason }) => reason))];
  }

  /** Whether all that was asked for is in force. */
  get settled(): boolean {
    return this.#sound && this.#dirty.size === 0;
  }

  /** Units that may have changed, and connections to be forgotten when they have. */
  note({ keys, flows }: PlaceChange): void {
    for (const key of keys) this.#dirty.add(key);
    this.#flows.push(...flows);
    if (this.#flows.length > MOST_FLOWS) this.#flows.splice(0, this.#flows.length - MOST_FLOWS);
  }

  /** What is in force can't be trusted: the next `enforce` makes all of it anew. */
  distrust(): void {
    this.#sound = false;
  }

  /**
   * Makes the place what it should be. Throws, keeping what is to be done, when the kernel or its programs
   * refuse.
   */
  async enforce(wish: PlaceWish, sandbox: Sandbox): Promise<void> {
    const known = this.#inForce;
    // By object, as the kernel gives the number of a namespace that is gone to the next.
    if (known && known.sandbox !== sandbox) this.#flows = this.#ripe = [];
    const same = known?.frame.fingerprint === wish.frame.fingerprint && known.sandbox === sandbox;
    const keys = this.#dirty;
    this.#dirty = new Set();
    this.#attempts++;
    this.#busy = true;
    try {
      if (this.#sound && known && same) await this.#change(known, wish.units, keys);
      else await this.#renew(wish, sandbox);
    } catch (error) {
      for (const key of keys) this.#dirty.add(key);
      this.#sound = false;
      throw error;
    } finally {
      this.#busy = false;
    }
    this.#sound = true;
    this.#ripe = [...this.#ripe, ...this.#flows].slice(-MOST_FLOWS);
    this.#flows = [];
  }

  /** Forgets the connections that are to be forgotten, of which none can come back the same way. */
  async forgetFlows(): Promise<void> {
    const flows = this.#ripe;
    this.#ripe = [];
    try {
      if (this.#inForce) await this.#kernel.forget(this.#inForce.sandbox.path, flows);
    } catch (error) {
      this.#ripe = [...flows, ...this.#ripe].slice(-MOST_FLOWS);
      throw error;
    }
  }

  /** How the rules in the kernel are, by what was put there; as they should be where they are being changed. */
  async condition(): Promise<Condition> {
    const known = this.#inForce;
    if (!known || !this.#sound || this.#busy) return 'intact';
    const attempts = this.#attempts;
    const { path, device } = known.sandbox;
    const seal = await this.#kernel.seal(path);
    const links = known.addresses.size === 0 ? [] : await this.#kernel.links(path);
    const settings =
      path === ''
        ? await this.#kernel.settings(
            path,
            known.frame.sysctls.map(([name]) => name),
          )
        : undefined;
    if (attempts !== this.#attempts) return 'intact';
    if (settings && known.frame.sysctls.some(([, value], at) => settings[at] !== value)) return 'altered';
    const present = new Set(links.filter(({ name }) => name === device).flatMap(aliasesOf));
    if (seal?.tag === known.seal.tag && [...known.addresses].every((one) => present.has(one)))
      return 'intact';
    return (await this.#isRemade(known)) ? 'remade' : 'altered';
  }

  /** Whether its interface is gone, or another one: a namespace that is made anew may get the number of the former. */
  async #isRemade({ sandbox: { path, device, deviceIndex } }: InForce): Promise<boolean> {
    if (device === '') return false;
    const links = await this.#kernel.links(path);
    return !links.some(({ name, index }) => name === device && index === deviceIndex);
  }

  /** Takes everything away that was put there. */
  async clear(): Promise<void> {
    const known = this.#inForce;
    this.#inForce = undefined;
    this.#sound = false;
    if (known) await clearPlace(this.#kernel, known.sandbox.path, known.frame);
  }

  async #change(known: InForce, wished: ReadonlyMap<string, Unit>, keys: Iterable<string>): Promise<void> {
    const remove: string[] = [];
    const add: string[] = [];
    const changed: [key: string, unit: Unit | undefined][] = [];
    for (const key of keys) {
      const before = known.units.get(key);
      const unit = this.#takes(key, wished.get(key));
      if (before?.fingerprint === unit?.fingerprint) continue;
      const lines = this.#difference(before, unit);
      remove.push(...lines.remove);
      add.push(...lines.add);
      changed.push([key, unit]);
    }
    if (changed.length === 0) return;
    const seal = newSeal(known.seal.before);
    await this.#kernel.applyRules(known.sandbox.path, [...remove, ...add], seal);
    known.seal = seal;
    for (const [key, unit] of changed) {
      if (unit) known.units.set(key, unit);
      else known.units.delete(key);
    }
    await this.#changeAddresses(known);
  }

  async #changeAddresses(known: InForce): Promise<void> {
    const wanted = addressesOf(known.units.values());
    const missing = [...wanted].filter((one) => !known.addresses.has(one));
    const surplus = [...known.addresses].filter((one) => !wanted.has(one));
    await this.#alias(known.sandbox, missing, surplus);
    known.addresses.clear();
    for (const one of wanted) known.addresses.add(one);
  }

  async #renew({ frame, units: wished }: PlaceWish, sandbox: Sandbox): Promise<void> {
    const { path } = sandbox;
    const units = new Map<string, Unit>();
    for (const [key, unit] of wished) if (this.#takes(key, unit)) units.set(key, unit);
    const settings = await this.#settings(frame, sandbox);
    const seal = newSeal(settings.before);
    await this.#kernel.ip(path, this.#routes(frame, sandbox));
    await this.#applyAll(frame, units, path, seal);
    // Behind the rules that fence them in, and the seal that says what they were.
    for (const [name, value] of settings.wanted) await this.#kernel.set(path, name, value);
    const links = await this.#kernel.links(path);
    const device = links.find(({ name }) => name === sandbox.device);
    const addresses = addressesOf(units.values());
    const present = device ? aliasesOf(device) : [];
    const surplus = present.filter((one) => !addresses.has(one));
    await this.#alias(
      sandbox,
      [...addresses].filter((one) => !present.includes(one)),
      surplus,
    );
    this.#inForce = { sandbox, frame, units, addresses, seal };
  }

  /** Routes of a frame that is in force stay as they are. */
  #routes(frame: Frame, sandbox: Sandbox): IpLine[] {
    const known = this.#inForce?.sandbox === sandbox ? this.#inForce.frame.routes : [];
    const has = (routes: Frame['routes'], { add }: Frame['routes'][number]): boolean =>
      routes.some((one) => one.add.join(' ') === add.join(' '));
    const gone = known.filter((one) => !has(frame.routes, one));
    const fresh = frame.routes.filter((one) => !this.#sound || !has(known, one));
    return [
      ...[...gone, ...fresh].map(({ undo }) => ({ args: undo, mayFail: true })),
      ...fresh.map(({ add }) => ({ args: add, mayFail: false })),
    ];
  }

  /** All of the place's rules in one transaction; what the kernel does not take is left out. */
  async #applyAll(frame: Frame, units: Map<string, Unit>, path: string, seal: Seal): Promise<void> {
    const lines = (): string[] => [...frame.nft, ...[...units.values()].flatMap(({ add }) => add)];
    try {
      return await this.#kernel.applyRules(path, lines(), seal);
    } catch (error) {
      const refused = isLate(error) ? [] : await findRefused(this.#kernel, frame, [...units.values()]);
      if (refused.length === 0) throw error;
      for (const { unit, reason } of refused) {
        this.#refused.set(unit.key, { unit, reason });
        units.delete(unit.key);
      }
    }
    await this.#kernel.applyRules(path, lines(), seal);
  }

  /** The frame's kernel settings that are to be set, and what those of the host were before the first time. */
  async #settings(
    frame: Frame,
    { path }: Sandbox,
  ): Promise<{ readonly before: ReadonlyMap<string, string>; readonly wanted: Frame['sysctls'] }> {
    const found = path === '' ? await this.#kernel.seal(path) : undefined;
    const before = new Map(found?.before ?? this.#inForce?.seal.before);
    const names = frame.sysctls.map(([name]) => name);
    const present = await this.#kernel.settings(path, names);
    if (!present) throw new SwarmError('unavailable', `no kernel setting ${names.join(' or ')}`);
    const wanted = frame.sysctls.filter(([, value], at) => present[at] !== value);
    if (path === '')
      for (const [at, [name, value]] of frame.sysctls.entries())
        if (present[at] !== value && !before.has(name)) before.set(name, present[at] ?? '');
    return { before, wanted };
  }

  async #alias(sandbox: Sandbox, missing: readonly string[], surplus: readonly string[]): Promise<void> {
    const { path, device } = sandbox;
    if (missing.length > 0 && device === '') throw new SwarmError('unavailable', 'it has no interface yet');
    await this.#kernel.ip(path, [
      ...removeAliases(device, surplus).map((args) => ({ args, mayFail: true })),
      ...addAliases(device, missing).map((args) => ({ args, mayFail: false })),
    ]);
  }

  /** The unit, unless the kernel has refused just this one. */
  #takes(key: string, unit: Unit | undefined): Unit | undefined {
    const refused = this.#refused.get(key);
    if (!refused) return unit;
    if (refused.unit.fingerprint === unit?.fingerprint) return undefined;
    this.#refused.delete(key);
    return unit;
  }
}

function addressesOf(units: Iterable<Unit>): Set<string> {
  return new Set([...units].flatMap(({ addresses }) => addresses));
}

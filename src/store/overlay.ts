import type { Kind, Objects } from '../model/index.ts';
import { KINDS } from '../model/index.ts';
import type { Encoded } from './rows.ts';
import { isNamed, nameOf } from './tables.ts';
import type { NamedKind } from './types.ts';

type AnyObject = Objects[Kind];

/** What an update leaves of one object. */
interface Written {
  /** Null when it is removed. */
  object: AnyObject | null;
  /** The step that wrote it. */
  step: number;
  /** What it is written as; from the end of its step on. */
  encoded: Encoded | undefined;
}

/** One object as the next commit leaves it. */
export interface Change extends Written {
  readonly kind: Kind;
  readonly id: string;
  /** What is committed of it, if anything. */
  readonly committed: AnyObject | undefined;
}

interface Undo {
  readonly change: Change;
  /** What an earlier step had written. */
  readonly before: Written | undefined;
}

/**
 * What is to be committed next, over what is. It is written in steps; the last step can be taken back. Every operation costs
 * the same however much is in it.
 */
export class Overlay {
  readonly #changes = Object.fromEntries(KINDS.map((kind) => [kind, new Map()])) as Record<
    Kind,
    Map<string, Change>
  >;
  /** All changes, in the order in which the objects were first written. */
  readonly #order: Change[] = [];
  /** Names that were taken or (undefined) given up here, by kind and name: who has them. */
  readonly #names = new Map<string, string | undefined>();
  readonly #undos: Undo[] = [];
  readonly #nameUndos: (() => void)[] = [];
  #step = 0;

  /** How many objects are changed. */
  get size(): number {
    return this.#order.length;
  }

  /** How many of them the step under way changed. */
  get stepSize(): number {
    return this.#undos.length;
  }

  get(kind: Kind, id: string): Change | undefined {
    return this.#changes[kind].get(id);
  }

  of(kind: Kind): ReadonlyMap<string, Change> {
    return this.#changes[kind];
  }

  /** In the order in which they were first written. */
  all(): readonly Change[] {
    return this.#order;
  }

  /** What the step under way changed, and what an earlier one had made of it. */
  ofStep(): readonly Undo[] {
    return this.#undos;
  }

  begin(): void {
    this.#step++;
    this.#undos.length = 0;
    this.#nameUndos.length = 0;
  }

  /** Writes an object for the first time in this commit. */
  add(kind: Kind, id: string, object: AnyObject | null, committed: AnyObject | undefined): void {
    const change: Change = { kind, id, committed, object, step: this.#step, encoded: undefined };
    this.#changes[kind].set(id, change);
    this.#order.push(change);
    this.#undos.push({ change, before: undefined });
    if (isNamed(kind)) this.#rename(kind, id, committed, object);
  }

  /** Writes one again. */
  replace(change: Change, object: AnyObject | null): void {
    const { kind, id, object: former, step, encoded } = change;
    if (step !== this.#step) this.#undos.push({ change, before: { object: former, step, encoded } });
    if (isNamed(kind)) this.#rename(kind, id, former, object);
    change.object = object;
    change.step = this.#step;
    change.encoded = undefined;
  }

  /** Takes the step under way back. */
  undo(): void {
    for (const { change, before } of this.#undos) {
      if (before) Object.assign(change, before);
      else this.#changes[change.kind].delete(change.id);
    }
    while (this.#order.at(-1)?.step === this.#step) this.#order.pop();
    for (const undo of this.#nameUndos.reverse()) undo();
    this.begin();
  }

  /** Who has a name: an id, undefined for nobody, or `committed` when nothing here touches it. */
  holderOf(kind: NamedKind, name: string): { readonly id: string | undefined } | 'committed' {
    const key = `${kind}/${name}`;
    return this.#names.has(key) ? { id: this.#names.get(key) } : 'committed';
  }

  #rename(kind: NamedKind, id: string, before: AnyObject | null | undefined, after: AnyObject | null): void {
    const [former, next] = [before, after].map((object) =>
      object ? `${kind}/${nameOf(object as Objects[NamedKind])}` : undefined,
    );
    if (former === next) return;
    if (former !== undefined) this.#setName(former, undefined);
    if (next !== undefined) this.#setName(next, id);
  }

  #setName(key: string, id: string | undefined): void {
    const had = this.#names.has(key);
    const before = this.#names.get(key);
    this.#nameUndos.push(() => {
      if (had) this.#names.set(key, before);
      else this.#names.delete(key);
    });
    this.#names.set(key, id);
  }
}

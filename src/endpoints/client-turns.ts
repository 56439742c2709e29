import type { Clock } from '../base/clock.ts';

/** Managers that do not know this service are Docker's own; one of them may become one of ours. */
const UNAWARE_MS = 5 * 60_000;
/** A host that has lost its power is not back sooner, and by then another manager leads. */
const SILENT_MS = 10_000;

/** Which of the managers is asked next: each in its turn, and not one that was just found silent while others are known. */
export class ManagerTurns {
  readonly #clock: Clock;
  /** Managers that do not know the service, and until when they are not asked again. */
  readonly #unaware = new Map<string, number>();
  /** Until when others are asked first; who was found silent last stands last. */
  readonly #silent = new Map<string, number>();
  #turn: number;

  /** `random`: of [0, 1). */
  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#turn = Math.floor(random() * 16);
  }

  /** Of those that are known now, as `host:port`; undefined where none may know the service. */
  next(managers: readonly string[]): string | undefined {
    // Engines tell of them in any order; by turns each is to have its own.
    const known = [...managers].sort();
    for (const marks of [this.#unaware, this.#silent]) this.#dropOld(marks, known);
    const left = known.filter((addr) => !this.#unaware.has(addr));
    const first = left.filter((addr) => !this.#silent.has(addr));
    if (first.length > 0) return first[this.#turn % first.length];
    return [...this.#silent.keys()].find((addr) => left.includes(addr));
  }

  /** Has the others go before it; a manager that did say something is none that is silent. */
  failed(addr: string, isSilent: boolean): void {
    this.#turn += 1;
    this.#silent.delete(addr);
    if (isSilent) this.#silent.set(addr, this.#clock.nowMs() + SILENT_MS);
  }

  /** It does not know the service. */
  setUnaware(addr: string): void {
    this.failed(addr, false);
    this.#unaware.set(addr, this.#clock.nowMs() + UNAWARE_MS);
  }

  /** Asks all of them again. */
  forgetUnaware(): void {
    this.#unaware.clear();
  }

  #dropOld(marks: Map<string, number>, known: readonly string[]): void {
    const nowMs = this.#clock.nowMs();
    for (const [addr, untilMs] of marks) if (untilMs <= nowMs || !known.includes(addr)) marks.delete(addr);
  }
}

import { pause } from '../../base/async.ts';
import { Bell } from '../../base/bell.ts';
import type { Times } from '../../base/clock.ts';
import type {
  BalancerReport,
  DoctorFinding,
  EndpointsNeeds,
  EndpointsSource,
  EndpointsUpdate,
} from '../../model/index.ts';

/** A manager that tells what a test says, and remembers what it is told. */
export class FakeSource implements EndpointsSource {
  readonly reports: BalancerReport[] = [];
  readonly answers = new Map<string, readonly DoctorFinding[]>();
  /** What was asked for, with each watch. */
  readonly needs: EndpointsNeeds[] = [];
  readonly #updates: EndpointsUpdate[] = [];
  readonly #bell = new Bell();
  #version = 0;

  /** Tells it; returns its version. */
  tell(update: Partial<EndpointsUpdate>): number {
    const version = ++this.#version;
    const nothing = { networks: [], goneNetworks: [], services: [], goneServices: [], questions: [] };
    this.#updates.push({ version, full: version === 1, ...nothing, ...update });
    this.#bell.ring();
    return version;
  }

  async *watch(signal: AbortSignal, needs: EndpointsNeeds = 'all'): AsyncGenerator<EndpointsUpdate> {
    this.needs.push(needs);
    while (await this.#bell.heard(signal)) yield* this.#updates.splice(0);
  }

  report(report: BalancerReport): Promise<void> {
    this.reports.push(report);
    return Promise.resolve();
  }

  answer(questionId: string, findings: readonly DoctorFinding[]): Promise<void> {
    this.answers.set(questionId, findings);
    return Promise.resolve();
  }
}

/** Time that runs fifty times as fast. */
export const QUICK_TIMES: Times = {
  nowMs: () => performance.now() * 50,
  wallMs: () => Date.now(),
  pause: (ms, signal) => pause(ms / 50, signal),
};

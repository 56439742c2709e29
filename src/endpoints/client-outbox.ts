import { backoffMs } from '../base/async.ts';
import { Bell } from '../base/bell.ts';
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { BalancerReport, DoctorFinding } from '../model/index.ts';
import type { Link } from './client-link.ts';
import { answerToWire, reportToWire } from './client-wire.ts';

interface Answer {
  readonly questionId: string;
  readonly findings: readonly DoctorFinding[];
}

const CALL_MAX_MS = 5_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;
/** A link that takes no report, while it gives updates, is made anew: a certificate may have been renewed. */
const FAILURES_MAX = 4;
/** Who asked waits for seconds only. */
const ANSWERS_MAX = 64;

/** What a balancer has to say, until a manager has it: its last report, and answers. */
export class Outbox {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log: Logger;
  readonly #bell = new Bell();
  #report: BalancerReport | undefined;
  #answers: Answer[] = [];

  constructor(clock: Clock, random: () => number, log: Logger) {
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
  }

  /** In the place of the last one. */
  report(report: BalancerReport): void {
    this.#report = report;
    this.#bell.ring();
  }

  answer(questionId: string, findings: readonly DoctorFinding[]): void {
    if (this.#answers.length >= ANSWERS_MAX) this.#answers.shift();
    this.#answers.push({ questionId, findings });
    this.#bell.ring();
  }

  /**
   * Says it over a link, the last report first, until the signal fires or the link takes nothing; `versionAt` tells what
   * that manager calls a version. Never rejects.
   */
  async send({ client }: Link, versionAt: (own: number) => number, signal: AbortSignal): Promise<void> {
    // It has heard nothing yet.
    let said: BalancerReport | undefined;
    this.#bell.ring();
    for (let failures = 0; failures < FAILURES_MAX && (await this.#bell.heard(signal));) {
      const call = { signal, timeoutMs: CALL_MAX_MS };
      try {
        const report = this.#report;
        if (report && report !== said)
          await client.report(reportToWire(report, versionAt(report.version)), call);
        said = report;
        for (let next = this.#answers.shift(); next; next = this.#answers.shift())
          await client.answer(answerToWire(next.questionId, next.findings), call);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.#log.debug({ err: messageOf(error) }, 'A manager did not take the report of this balancer');
        await this.#clock.pause(backoffMs(failures++, FIRST_RETRY_MS, LAST_RETRY_MS, this.#random), signal);
        this.#bell.ring();
      }
    }
  }
}

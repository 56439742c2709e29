import { eachLimited, within } from '../base/async.ts';
import { Bell } from '../base/bell.ts';
import { messageOf } from '../base/errors.ts';
import type { DoctorFinding, DoctorQuestion, EndpointsSource } from '../model/index.ts';

/** Questions that wait, at most; what comes beyond is not answered, and whoever asked gives up by himself. */
const MOST_WAITING = 16;
const AT_ONCE = 4;
/** Whoever asks waits 8 s. */
const LIMIT_MS = 7_000;

/** Answers the doctor's questions, a few at once, beside everything else. */
export class Questions {
  readonly #source: EndpointsSource;
  readonly #examine: (serviceId: string) => Promise<readonly DoctorFinding[]>;
  readonly #bell = new Bell();
  readonly #waiting: DoctorQuestion[] = [];

  constructor(source: EndpointsSource, examine: (serviceId: string) => Promise<readonly DoctorFinding[]>) {
    this.#source = source;
    this.#examine = examine;
  }

  put(questions: readonly DoctorQuestion[]): void {
    if (questions.length === 0) return;
    this.#waiting.push(...questions.slice(0, MOST_WAITING - this.#waiting.length));
    this.#bell.ring();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (await this.#bell.heard(signal)) {
      await eachLimited(this.#waiting.splice(0), AT_ONCE, async ({ id, serviceId }) =>
        this.#source.answer(id, await this.#findings(serviceId)),
      );
    }
  }

  async #findings(serviceId: string): Promise<readonly DoctorFinding[]> {
    try {
      return await within(LIMIT_MS, 'the balancer', this.#examine(serviceId));
    } catch (error) {
      return [
        { verdict: 'fault', subject: 'the balancer', text: `it can't be examined: ${messageOf(error)}` },
      ];
    }
  }
}

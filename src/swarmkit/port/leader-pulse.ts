export interface LeaderPulseOptions {
  /** How often it is looked whether something was heard. */
  readonly lookMs: number;
  /** Makes a connection anew; rejects, within a bounded time, where none comes about. */
  readonly tryAnew: () => Promise<void>;
  /** Nothing more is to be expected of the connections that there are. */
  readonly onLost: (error: unknown) => void;
}

/**
 * Notices a leader whose host lost its power. It sends no end, and what is on its way to it is sent again and again for a
 * quarter of an hour: so, when something was sent and nothing came over any connection from one look to the next, a
 * connection is made anew.
 */
export class LeaderPulse {
  readonly #options: LeaderPulseOptions;
  #looking: NodeJS.Timeout | undefined;
  /** Whether something was sent since the leader was last tried. */
  #isAsked = false;
  #isHeard = false;

  constructor(options: LeaderPulseOptions) {
    this.#options = options;
  }

  /** Something is sent, to which some answer is due. */
  asked(): void {
    this.#isAsked = true;
    this.#looking ??= setInterval(() => this.#look(), this.#options.lookMs).unref();
  }

  heard(): void {
    this.#isHeard = true;
  }

  /** Nothing waits any more. */
  stop(): void {
    clearInterval(this.#looking);
    this.#looking = undefined;
    this.#isAsked = false;
  }

  #look(): void {
    if (this.#isHeard) {
      this.#isHeard = false;
    } else if (this.#isAsked) {
      this.#isAsked = false;
      this.#options.tryAnew().catch(this.#options.onLost);
    } else this.stop();
  }
}

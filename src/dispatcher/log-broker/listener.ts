import type { SubscriptionMessage } from '../../../proto/generated/swarmkit/log_broker_pb.js';
import { Bell } from '../../base/bell.ts';
import type { Subscription } from './subscription.ts';
import { subscriptionToWire } from './wire-logs.ts';

/** The stream on which one agent learns what logs it is to send. It keeps what has changed, not how. */
export class Listener {
  readonly #changed = new Set<Subscription>();
  readonly #told = new Set<Subscription>();
  readonly #bell = new Bell();

  /** What the agent was told of and has not finished. */
  get active(): Iterable<Subscription> {
    return new Set([...this.#told, ...this.#changed]);
  }

  touch(subscription: Subscription): void {
    this.#changed.add(subscription);
    this.#bell.ring();
  }

  /** The agent has sent all; it need not be told to stop. */
  finished(subscription: Subscription): void {
    this.#told.delete(subscription);
    this.#changed.delete(subscription);
  }

  async *messages(signal: AbortSignal): AsyncGenerator<SubscriptionMessage> {
    while (await this.#bell.heard(signal)) {
      for (const subscription of this.#changed) {
        this.#changed.delete(subscription);
        const { id, selector, options, over } = subscription;
        const told = this.#told.has(subscription);
        if (told === !over.aborted) continue;
        if (told) this.#told.delete(subscription);
        else this.#told.add(subscription);
        yield subscriptionToWire(id, selector, options, over.aborted);
        if (signal.aborted) return;
      }
    }
  }
}

import type { SubscriptionMessage } from '../../../proto/generated/swarmkit/log_broker_pb.js';
import { Bell } from '../../base/bell.ts';
import type { Subscription } from './subscription.ts';
import { subscriptionToWire } from './wire-logs.ts';

/** The stream on which one agent learns what logs it is to send. It keeps what has changed, not how. */
export class Listener {
  readonly #nodeId: string;
  readonly #changed = new Set<Subscription>();
  readonly #told = new Set<Subscription>();
  readonly #bell = new Bell();

  constructor(nodeId: string) {
    this.#nodeId = nodeId;
  }

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
        for (const message of this.#news(subscription)) {
          yield message;
          if (signal.aborted) return;
        }
      }
    }
  }

  *#news(subscription: Subscription): Generator<SubscriptionMessage> {
    const { selector, options, over } = subscription;
    const known = subscription.idAt(this.#nodeId);
    const told = this.#told.has(subscription);
    if (told === !over.aborted) return;
    if (told) {
      this.#told.delete(subscription);
      if (known !== undefined) yield subscriptionToWire(known, selector, options, true);
      return;
    }
    this.#told.add(subscription);
    const telling = subscription.telling(this.#nodeId);
    if (known !== undefined && known !== telling.id) yield subscriptionToWire(known, selector, options, true);
    yield subscriptionToWire(telling.id, selector, telling.options, false);
  }
}

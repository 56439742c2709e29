import { Code, ConnectError, type ConnectRouter, type HandlerContext } from '@connectrpc/connect';
import {
  LogBroker as LogBrokerService,
  type PublishLogsMessage,
  type SubscriptionMessage,
} from '../../../proto/generated/swarmkit/log_broker_pb.js';
import { SwarmError, messageOf } from '../../base/errors.ts';
import type { Task } from '../../model/index.ts';
import type { LoopContext } from '../../store/index.ts';
import { requireNode } from '../../swarmkit/index.ts';
import { Listener } from './listener.ts';
import { Subscription } from './subscription.ts';
import type { LogLine, LogOptions, LogSelector, LogSubscriber } from './types.ts';
import { lineFromWire } from './wire-logs.ts';

/** Adds to a stream of messages to an agent what all such streams have: an end with its session, and with its patience. */
export type OpenStream = <T>(
  nodeId: string,
  call: HandlerContext,
  messages: (signal: AbortSignal) => AsyncIterable<T>,
) => AsyncGenerator<T>;

/**
 * Brings what tasks said from the nodes to those who want to read it, as SwarmKit's log broker: nodes are told of
 * a subscription, and send until they have sent all, or are told to stop.
 */
export class LogBroker implements LogSubscriber {
  readonly #context: LoopContext;
  readonly #openStream: OpenStream;
  readonly #listeners = new Map<string, Listener>();
  readonly #subscriptions = new Set<Subscription>();
  /** Those with `follow`, by `service/id` and `task/id`. */
  readonly #following = new Map<string, Set<Subscription>>();
  #running = false;

  constructor(context: LoopContext, openStream: OpenStream) {
    this.#context = context;
    this.#openStream = openStream;
  }

  routes(router: ConnectRouter): void {
    router.service(LogBrokerService, {
      listenSubscriptions: (_request, call) => this.#listen(call),
      publishLogs: (messages, call) => this.#publish(messages, call),
    });
  }

  /** Ends all subscriptions when the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    this.#running = true;
    const unwatch = this.#context.store.watch((events) => {
      if (this.#following.size === 0) return;
      for (const event of events)
        if (event.kind === 'task' && event.type !== 'remove') this.#placed(event.object);
    });
    if (!signal.aborted)
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    this.#running = false;
    unwatch();
    for (const subscription of this.#subscriptions) subscription.end();
  }

  async *subscribe(selector: LogSelector, options: LogOptions, signal: AbortSignal): AsyncGenerator<LogLine> {
    const { serviceIds = [], nodeIds = [], taskIds = [] } = selector;
    if (serviceIds.length + nodeIds.length + taskIds.length === 0)
      throw new SwarmError('invalid', 'log selector must not be empty');
    if (!this.#running) throw new SwarmError('unavailable', 'broker is not running');
    if (signal.aborted) return;
    const subscription = new Subscription(selector, options, this.#context.times);
    const stop = (): void => this.#unsubscribe(subscription);
    signal.addEventListener('abort', stop, { once: true });
    try {
      this.#register(subscription);
      for (;;) {
        const lines = await subscription.take();
        if (lines.length === 0) break;
        for (const line of lines) {
          yield line;
          if (signal.aborted) return;
        }
      }
      if (signal.aborted) return;
      if (subscription.over.aborted) throw new SwarmError('unavailable', 'broker is not running');
      const missing = subscription.missing();
      if (missing !== undefined) throw new SwarmError('unavailable', missing);
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
    }
  }

  #register(subscription: Subscription): void {
    this.#subscriptions.add(subscription);
    subscription.match(this.#context.store.view);
    for (const key of followKeys(subscription)) {
      const others = this.#following.get(key);
      if (others) others.add(subscription);
      else this.#following.set(key, new Set([subscription]));
    }
    for (const nodeId of [...subscription.nodes]) this.#tell(nodeId, subscription);
  }

  #unsubscribe(subscription: Subscription): void {
    if (!this.#subscriptions.delete(subscription)) return;
    for (const key of followKeys(subscription)) {
      const others = this.#following.get(key);
      if (others?.delete(subscription) && others.size === 0) this.#following.delete(key);
    }
    subscription.end();
    for (const nodeId of subscription.nodes) this.#listeners.get(nodeId)?.touch(subscription);
  }

  #tell(nodeId: string, subscription: Subscription): void {
    const listener = this.#listeners.get(nodeId);
    if (listener) listener.touch(subscription);
    else subscription.done(nodeId, `node ${nodeId} is not available`);
  }

  /** A task that somebody follows was made or changed. */
  #placed(task: Task): void {
    for (const key of [`service/${task.serviceId}`, `task/${task.id}`])
      for (const subscription of this.#following.get(key) ?? []) {
        const nodeId = subscription.add(task);
        if (nodeId !== undefined) this.#tell(nodeId, subscription);
      }
  }

  #listen(call: HandlerContext): AsyncIterable<SubscriptionMessage> {
    const nodeId = requireNode(call, this.#context.store.view).id;
    return this.#openStream(nodeId, call, (signal) => {
      const listener = new Listener(nodeId);
      this.#listeners.set(nodeId, listener);
      signal.addEventListener('abort', () => this.#gone(nodeId, listener));
      for (const subscription of this.#subscriptions)
        if (subscription.nodes.has(nodeId)) listener.touch(subscription);
      return listener.messages(signal);
    });
  }

  #gone(nodeId: string, listener: Listener): void {
    if (this.#listeners.get(nodeId) !== listener) return;
    this.#listeners.delete(nodeId);
    for (const subscription of listener.active)
      subscription.done(nodeId, `node ${nodeId} disconnected unexpectedly`);
  }

  async #publish(
    messages: AsyncIterable<PublishLogsMessage>,
    call: HandlerContext,
  ): Promise<Record<string, never>> {
    const { view } = this.#context.store;
    const nodeId = requireNode(call, view).id;
    let feed: Feed | undefined;
    let reason: string | undefined;
    try {
      for await (const message of messages) {
        feed = this.#feedOf(message, nodeId, feed);
        if (feed.subscription.isOver(feed) || message.close) break;
        const { messages: wire } = message;
        const stranger = wire.find(({ context }) => context?.nodeId !== nodeId);
        if (stranger)
          throw new ConnectError(
            `invalid NodeID: expected=${nodeId};received=${stranger.context?.nodeId ?? ''}`,
            Code.PermissionDenied,
          );
        const lines = wire.map((line) => lineFromWire(line, nodeId, (id) => view.get('task', id)?.serviceId));
        // Nobody speaks for another node's task.
        await feed.subscription.offer(
          lines.filter(({ taskId }) => (view.get('task', taskId)?.nodeId ?? nodeId) === nodeId),
          feed,
        );
      }
      return {};
    } catch (error) {
      reason = messageOf(error);
      throw error;
    } finally {
      if (feed) {
        const { subscription } = feed;
        subscription.done(nodeId, reason);
        if (!subscription.options.follow) this.#listeners.get(nodeId)?.finished(subscription);
      }
    }
  }

  /** The one that a message is for: the same for all of a call. */
  #feedOf({ subscriptionId: id }: PublishLogsMessage, nodeId: string, known: Feed | undefined): Feed {
    if (id === '') throw new ConnectError('missing subscription ID', Code.InvalidArgument);
    if (known && known.id !== id)
      throw new ConnectError('different subscription IDs in the same session', Code.InvalidArgument);
    if (known) return known;
    for (const subscription of this.#subscriptions)
      if (subscription.idAt(nodeId) === id && subscription.nodes.has(nodeId))
        return { subscription, nodeId, id };
    throw new ConnectError('unknown subscription ID', Code.NotFound);
  }
}

/** What one node sends for a subscription, by an id that it was told. */
interface Feed {
  readonly subscription: Subscription;
  readonly nodeId: string;
  readonly id: string;
}

function followKeys({ options, selector: { serviceIds = [], taskIds = [] } }: Subscription): string[] {
  if (!options.follow) return [];
  return [...serviceIds.map((id) => `service/${id}`), ...taskIds.map((id) => `task/${id}`)];
}

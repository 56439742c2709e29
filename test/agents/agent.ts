import { createClient, type Client } from '@connectrpc/connect';
import { durationMs } from '@bufbuild/protobuf/wkt';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Dispatcher, type SessionMessage } from '../../proto/generated/swarmkit/dispatcher_pb.js';
import {
  LogBroker,
  type PublishLogsMessageSchema,
  type SubscriptionMessage,
} from '../../proto/generated/swarmkit/log_broker_pb.js';
import {
  IssuanceStatus_State,
  TaskState as State,
  type NodeDescriptionSchema,
} from '../../proto/generated/swarmkit/types_pb.js';
import type { Task } from '../../proto/generated/swarmkit/objects_pb.js';
import { backoffMs, pause } from '../../src/base/async.ts';
import { Bell } from '../../src/base/bell.ts';
import { Assigned } from './assigned.ts';
import { connectTo, renewCertificate, type AgentCredentials, type Connection } from './credentials.ts';
import { finish, statusOf, step, type Fate, type LivingTask } from './task-life.ts';

export interface AgentOptions {
  /** host:port of the swarm's port. */
  readonly addr: string;
  readonly credentials: AgentCredentials;
  readonly description?: MessageInitShape<typeof NodeDescriptionSchema>;
  /** What becomes of its tasks; they run if nothing is said. */
  readonly fate?: (task: Task) => Fate;
  /** Told of log subscriptions; without it the agent does not listen for any. */
  readonly onSubscription?: (subscription: SubscriptionMessage, agent: Agent) => void;
  /** The longest wait before another session; an engine's 8 s if nothing is said. */
  readonly backoffMaxMs?: number;
  /** How long a task stays in each state on its way; not at all if nothing is said. */
  readonly stepMs?: number;
}

type PublishLogs = AsyncIterable<MessageInitShape<typeof PublishLogsMessageSchema>>;

/** SwarmKit's for the calls of an agent. */
const CALL_MAX_MS = 5_000;
const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 8_000;

/**
 * An agent without containers: it keeps a session as an engine does, takes what is assigned and says that its tasks run.
 * Many fit into one process.
 */
export class Agent implements AsyncDisposable {
  readonly options: AgentOptions;
  /** Its tasks, by id; one goes when the manager says REMOVE. */
  readonly tasks = new Map<string, LivingTask>();
  readonly assigned = new Assigned();
  /** Of the present session, '' between two. */
  sessionId = '';
  /** The manager's last word. */
  session: SessionMessage | undefined;
  /** How many sessions it has had, and heartbeats that were answered. */
  sessions = 0;
  heartbeats = 0;
  /** Why sessions ended, the last 20. */
  readonly troubles: string[] = [];
  credentials: AgentCredentials;
  readonly #stopping = new AbortController();
  readonly #unsent = new Set<string>();
  readonly #reportBell = new Bell();
  readonly #changeWaiters = new Set<() => void>();
  /** Of tasks that end by themselves. */
  readonly #ends = new Set<NodeJS.Timeout>();
  #connection: Connection;
  readonly #running: Promise<void>;

  constructor(options: AgentOptions) {
    this.options = options;
    this.credentials = options.credentials;
    this.#connection = this.#connect();
    this.#running = this.#run();
  }

  get nodeId(): string {
    return this.credentials.nodeId;
  }

  /** Ends as a host that loses its power, but that its connection is closed. */
  async close(): Promise<void> {
    this.#stopping.abort();
    for (const timer of this.#ends) clearTimeout(timer);
    this.#connection.close();
    await this.#running;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Ends the present session and its connection; another follows by itself. */
  dropConnection(): void {
    this.#connection.close();
  }

  /** Resolves when the condition holds; looked at after every change here. Rejects after `ms` with what was waited for. */
  async until(what: string, holds: (agent: this) => boolean, ms = 15_000): Promise<void> {
    const deadline = AbortSignal.timeout(ms);
    while (!holds(this)) {
      if (deadline.aborted)
        throw new Error(`agent ${this.nodeId}: ${what}: not within ${ms} ms; ${this.troubles.join('; ')}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      this.#changeWaiters.add(wake);
      deadline.addEventListener('abort', wake, { once: true });
      await promise;
      deadline.removeEventListener('abort', wake);
      this.#changeWaiters.delete(wake);
    }
  }

  /** Lets a task's process end. */
  end(taskId: string, exitCode: number): void {
    const living = this.tasks.get(taskId);
    if (living && finish(living, exitCode)) this.#tell(taskId);
  }

  /** Answers a log subscription. */
  async publishLogs(messages: PublishLogs): Promise<void> {
    await createClient(LogBroker, this.#connection.transport).publishLogs(messages);
  }

  #connect(): Connection {
    const { rootPem } = this.credentials;
    return connectTo(this.options.addr, { rootPem, credentials: this.credentials });
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const session = new AbortController();
      const before = this.sessions;
      try {
        await this.#live(AbortSignal.any([signal, session.signal]), session);
      } catch (error) {
        if (!signal.aborted) this.#trouble(error);
      }
      session.abort();
      this.sessionId = '';
      this.#changed();
      if (this.sessions > before) attempt = 0;
      const longest = this.options.backoffMaxMs ?? BACKOFF_MAX_MS;
      await pause(backoffMs(attempt, Math.min(BACKOFF_FIRST_MS, longest), longest, Math.random), signal);
    }
  }

  /** One session; rejects, or returns, at its end. */
  async #live(signal: AbortSignal, session: AbortController): Promise<void> {
    const client = createClient(Dispatcher, this.#connection.transport);
    const parts: Promise<void>[] = [];
    const part = (run: Promise<void>): void => {
      // The end of one part is the end of the session.
      parts.push(run.finally(() => session.abort()));
    };
    try {
      for await (const message of client.session({ description: this.#description() }, { signal })) {
        this.session = message;
        if (this.sessionId === '') {
          this.sessionId = message.sessionId;
          this.sessions++;
          part(this.#beat(client, signal));
          part(this.#follow(client, signal));
          part(this.#report(client, signal));
          if (this.options.onSubscription) part(this.#listen(signal));
        }
        this.#changed();
        if (message.node?.certificate?.status?.state === IssuanceStatus_State.ROTATE) {
          await this.#renew();
          return;
        }
      }
    } finally {
      session.abort();
      for (const { reason } of (await Promise.allSettled(parts)).filter((one) => one.status === 'rejected'))
        if (!this.#stopping.signal.aborted) this.#trouble(reason);
    }
  }

  /** A new certificate, and the next session over a connection that shows it. */
  async #renew(): Promise<void> {
    this.credentials = await renewCertificate(this.options.addr, this.credentials);
    this.#connection.close();
    this.#connection = this.#connect();
  }

  async #beat(client: Client<typeof Dispatcher>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { period } = await client.heartbeat(
        { sessionId: this.sessionId },
        { signal, timeoutMs: CALL_MAX_MS },
      );
      if (this.heartbeats++ === 0) this.#changed();
      await pause(period ? durationMs(period) : CALL_MAX_MS, signal);
    }
  }

  async #follow(client: Client<typeof Dispatcher>, signal: AbortSignal): Promise<void> {
    this.assigned.restart();
    for await (const message of client.assignments({ sessionId: this.sessionId }, { signal })) {
      const { changed, removed } = this.assigned.apply(message);
      for (const id of removed) {
        this.tasks.delete(id);
        this.#unsent.delete(id);
      }
      for (const id of changed) this.#take(id);
      this.#changed();
    }
  }

  #take(id: string): void {
    const task = this.assigned.tasks.get(id);
    if (!task) return;
    const living = this.tasks.get(id);
    if (living) living.task = task;
    else {
      const state = Math.max(task.status?.state ?? State.NEW, State.ASSIGNED);
      const fate = this.options.fate?.(task) ?? 'run';
      this.tasks.set(id, { task, state, err: '', exitCode: 0, fate });
    }
    this.#advance(id);
  }

  #advance(id: string): void {
    const living = this.tasks.get(id);
    if (!living || !step(living)) return;
    this.#tell(id);
    const { fate } = living;
    if (living.state !== State.RUNNING || typeof fate === 'string') return;
    const timer = setTimeout(() => {
      this.#ends.delete(timer);
      this.end(id, fate.exitCode);
    }, fate.afterMs ?? 0);
    this.#ends.add(timer);
  }

  #tell(id: string): void {
    this.#unsent.add(id);
    this.#reportBell.ring();
    this.#changed();
  }

  /** Sends what changed, merged; a task's next step follows when the former one has been told. */
  async #report(client: Client<typeof Dispatcher>, signal: AbortSignal): Promise<void> {
    for (const [id, { state }] of this.tasks) if (state > State.ASSIGNED) this.#unsent.add(id);
    this.#reportBell.ring();
    while (await this.#reportBell.heard(signal)) {
      const ids = [...this.#unsent];
      this.#unsent.clear();
      const updates = ids.flatMap((taskId) => {
        const living = this.tasks.get(taskId);
        return living ? { taskId, status: statusOf(living) } : [];
      });
      if (updates.length === 0) continue;
      const { sessionId } = this;
      await client.updateTaskStatus({ sessionId, updates }, { signal, timeoutMs: CALL_MAX_MS });
      if (this.options.stepMs) await pause(this.options.stepMs, signal);
      for (const id of ids) this.#advance(id);
    }
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const client = createClient(LogBroker, this.#connection.transport);
    for await (const subscription of client.listenSubscriptions({}, { signal }))
      this.options.onSubscription?.(subscription, this);
  }

  #description(): MessageInitShape<typeof NodeDescriptionSchema> {
    const own: MessageInitShape<typeof NodeDescriptionSchema> = {
      hostname: `host-${this.nodeId.slice(0, 6)}`,
      platform: { architecture: 'x86_64', os: 'linux' },
      resources: { nanoCpus: 4_000_000_000n, memoryBytes: 8_589_934_592n },
      engine: { engineVersion: '28.5.2' },
      tlsInfo: { trustRoot: Buffer.from(this.credentials.rootPem) },
    };
    return Object.assign(own, this.options.description);
  }

  #trouble(error: unknown): void {
    this.troubles.push(error instanceof Error ? error.message : String(error));
    if (this.troubles.length > 20) this.troubles.shift();
  }

  #changed(): void {
    for (const wake of this.#changeWaiters) wake();
  }
}

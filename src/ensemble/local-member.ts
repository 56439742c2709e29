import type { Times } from '../base/clock.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { EtcdClient } from '../store/index.ts';
import { dataArgument, etcdArgs, etcdEnv } from './etcd-args.ts';
import { EtcdProcess } from './etcd-process.ts';
import type { EtcdProgram } from './find-etcd.ts';
import type { MemberConfig, MemberFolder } from './member-folder.ts';
import { initialCluster, listMembers } from './members.ts';
import { localEndpoint, peerUrl, type MemberPlace } from './places.ts';

export interface LocalMemberOptions {
  /** Says what the member is, and holds its CA. */
  readonly folder: MemberFolder;
  readonly program: EtcdProgram;
  readonly times: Times;
  readonly log: Logger;
  readonly random?: () => number;
  /** Called once when it can't go on: it was removed by the others, or an etcd of before can't be ended. */
  readonly onFailed?: (error: unknown) => void;
}

/** How often certificates are looked at. */
const LOOK_MS = 3600_000;
const ANSWER_MS = 2_000;
const ASK_AGAIN_MS = 50;

/** The member of the swarm's own etcd that runs beside this swarmd. */
export class LocalMember {
  readonly #options: LocalMemberOptions;
  readonly #process: EtcdProcess;
  readonly #over = new AbortController();
  #config: MemberConfig;
  #running: Promise<void> | undefined;
  #failure: Error | undefined;

  /** Throws `unavailable` where the folder has no member. */
  constructor(options: LocalMemberOptions) {
    const { folder, program, times, log, random = Math.random } = options;
    const config = folder.read();
    if (!config) throw new SwarmError('unavailable', `there is no member of an etcd in '${folder.path}'`);
    this.#config = config;
    this.#options = options;
    this.#process = new EtcdProcess({
      program: program.path,
      args: async () => {
        await this.#lookAround();
        return etcdArgs(folder, this.#config);
      },
      env: etcdEnv(process.env),
      pidFile: folder.pidFile,
      ownArgument: dataArgument(folder),
      log,
      clock: times,
      random,
    });
  }

  get config(): MemberConfig {
    return this.#config;
  }

  /** Of etcd's process, while there is one. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Has it run until `stop`. Rejects where its certificates can't be made; whether it serves is another question. */
  async start(): Promise<void> {
    await this.#ensureCertificates();
    this.#running ??= this.#run();
  }

  /**
   * Resolves when it answers, which takes a majority of the members; rejects with `unavailable` after `limitMs`, or when it can't go on.
   * A member that was made to go on alone does so from then on by itself.
   */
  async serves({
    signal,
    limitMs,
  }: {
    readonly signal: AbortSignal;
    readonly limitMs: number;
  }): Promise<void> {
    const client = this.client();
    const { times } = this.#options;
    const endMs = times.nowMs() + limitMs;
    try {
      for (;;) {
        if (this.#failure) throw this.#failure;
        try {
          await client.status({ signal, deadlineMs: ANSWER_MS });
          break;
        } catch (error) {
          signal.throwIfAborted();
          if (times.nowMs() >= endMs) throw error;
          await times.pause(ASK_AGAIN_MS, signal);
        }
      }
    } finally {
      client.close();
    }
    if (this.#config.alone === true) this.#keep({ ...this.#config, alone: false });
  }

  /** A client of this member alone, by loopback; whoever asks closes it. */
  client(): EtcdClient {
    return this.clientOf([localEndpoint(this.#config)]);
  }

  /** A client of these members, `host:port` each, with this host's certificate. */
  clientOf(endpoints: readonly string[]): EtcdClient {
    const { certificates } = this.#options.folder;
    return new EtcdClient({ endpoints, tls: () => certificates.clientTls() });
  }

  /** Remembers where the others are: one that was removed while it was off can ask nobody else. */
  remember(others: readonly string[]): void {
    if (this.#config.others?.join() !== others.join()) this.#keep({ ...this.#config, others });
  }

  /** A manager runs beside it, or none does: for the next start of swarmd. */
  beWitness(witness: boolean): void {
    this.#keep({ ...this.#config, witness });
  }

  /** Goes to another address, with certificates for it. The others have to be told as well: `setPeerUrl`. */
  async move(place: Partial<MemberPlace>): Promise<void> {
    this.#keep({ ...this.#config, ...place });
    await this.#ensureCertificates();
    this.#process.restart();
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    this.#over.abort();
    await this.#running;
  }

  /**
   * Until it has run it is to be started with exactly the members of now, or etcd refuses: one may have come or gone since it was
   * admitted. Where they can't be asked it tries with those that it knows.
   */
  async #lookAround(): Promise<void> {
    const { folder } = this.#options;
    const { comesInto, name, others = [] } = this.#config;
    if (comesInto !== 'existing' || others.length === 0 || folder.hasRun) return;
    const client = this.clientOf(others);
    try {
      const members = await listMembers(client, { signal: this.#over.signal, limitMs: ANSWER_MS });
      const own = members.find(({ peerUrls }) => peerUrls.includes(peerUrl(this.#config)));
      const now = own && initialCluster(members, own, name);
      if (now !== undefined && now !== this.#config.initialCluster)
        this.#keep({ ...this.#config, initialCluster: now });
    } catch (error) {
      this.#options.log.debug({ err: messageOf(error) }, 'The members of etcd could not be asked for');
    } finally {
      client.close();
    }
  }

  #keep(config: MemberConfig): void {
    this.#options.folder.write(config);
    this.#config = config;
  }

  async #run(): Promise<void> {
    const { signal } = this.#over;
    const process = this.#process.run({ signal }).catch((error: unknown) => {
      this.#failure = error instanceof Error ? error : new Error(messageOf(error));
      if (!signal.aborted) this.#options.onFailed?.(error);
    });
    await Promise.all([process, this.#renew(signal)]);
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { times, log } = this.#options;
    for (;;) {
      await times.pause(LOOK_MS, signal);
      if (signal.aborted) return;
      await this.#ensureCertificates().catch((error: unknown) =>
        log.error({ err: messageOf(error) }, 'The certificates of this member of etcd could not be renewed'),
      );
    }
  }

  async #ensureCertificates(): Promise<void> {
    const { folder, times, log } = this.#options;
    const made = await folder.certificates.ensure(this.#config.host, times.wallMs());
    if (made.length > 0) log.info({ made }, 'Made certificates for the member of etcd of this host');
  }
}

import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Times } from '../base/clock.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import { childLog, type Logger } from '../base/log.ts';
import {
  createEnsembleCa,
  findEtcd,
  listMembers,
  localEndpoint,
  LocalMember,
  MemberFolder,
  prepareFirst,
  prepareJoining,
  removeMember,
  USUAL_PORTS,
  type Admission,
  type EnsembleCa,
  type MemberConfig,
  type NewMember,
} from '../ensemble/index.ts';
import type { StateFolder } from './state-folder.ts';

interface World {
  readonly times: Times;
  readonly log: Logger;
  /** Called when the others have removed the member of this host. */
  readonly onRemoved: () => void;
}

/** A new member, or the only one, serves by then. */
const SERVES_MS = 20_000;
/** One of before serves as soon as a majority does; whoever starts first goes on without, and tries again. */
const SERVES_AGAIN_MS = 5_000;
/** For the others to remove the member of a host that leaves: stopped before that, it would count as one that is lost. */
const REMOVED_MS = 20_000;
const LOOK_MS = 200;

/** The member of the managers' own etcd on this host: it runs as long as swarmd does, or until the others have removed it. */
export class OwnEtcd {
  readonly #folder: MemberFolder;
  readonly #world: World;
  #member: LocalMember | undefined;
  #isRemoved = false;

  constructor(state: StateFolder, world: World) {
    this.#folder = memberFolderOf(state.path);
    this.#world = world;
  }

  /** Whether this host has a member. */
  get isThere(): boolean {
    return this.#folder.hasMember;
  }

  /** The node for which it has one beside which no manager runs, also where the others have removed it. */
  get witnessId(): string | undefined {
    const config = this.#folder.read();
    return config?.witness === true ? config.name : undefined;
  }

  /** Has the member that is there go on beside a manager, or without one. */
  beWitness(witness: boolean): void {
    const config = this.#folder.read();
    if (this.#member) this.#member.beWitness(witness);
    else if (config) this.#folder.write({ ...config, witness });
  }

  get ca(): EnsembleCa {
    return this.#folder.certificates.readCa();
  }

  /** Of this host's etcd; '' where none is installed that will do. */
  async version(): Promise<string> {
    return findEtcd().then(
      ({ version }) => version,
      () => '',
    );
  }

  /** Throws `conflict` where something else listens at the ports of a member. */
  async requirePorts(): Promise<void> {
    if (this.#member) return;
    for (const port of [USUAL_PORTS.client, USUAL_PORTS.peer])
      if (!(await isFree(port)))
        throw new SwarmError(
          'conflict',
          `port ${port} of this host, which etcd is to have beside its manager, is taken by another process`,
        );
  }

  /** Makes this host the first of a new etcd, and waits until that serves. Rejects with what to install where there is none. */
  async found(name: string, host: string): Promise<LocalMember> {
    await findEtcd();
    await this.stop();
    await this.requirePorts();
    prepareFirst(this.#folder, memberOf(name, host), await createEnsembleCa(this.#world.times.wallMs()));
    return this.#serving(SERVES_MS);
  }

  /** Makes this host one of an etcd that has admitted it. */
  async come(
    name: string,
    host: string,
    admission: Admission,
    ca: EnsembleCa,
    { witness = false }: { readonly witness?: boolean } = {},
  ): Promise<LocalMember> {
    await findEtcd();
    await this.stop();
    const member = memberOf(name, host);
    prepareJoining(this.#folder, witness ? { ...member, witness } : member, admission, ca);
    return this.#serving(SERVES_MS);
  }

  /**
   * The member of this host, once it answers at the host's address. Rejects with `unavailable` where it does not yet; it goes on
   * trying. The others may have removed it: `isRemoved`.
   */
  async serving(host: string): Promise<LocalMember> {
    const config = this.#folder.read();
    if (config && host !== '' && config.host !== host) await this.#move(config, placeOf(host));
    return this.#serving(SERVES_AGAIN_MS);
  }

  /** The others are told by `tellPeerUrl`. */
  async #move(config: MemberConfig, place: Pick<MemberConfig, 'host' | 'listen'>): Promise<void> {
    this.#world.log.info({ from: config.host, to: place.host }, 'The member of etcd of this host goes along');
    if (this.#member) await this.#member.move(place);
    else this.#folder.write({ ...config, ...place });
  }

  /** Whether the others have said that this host's member is none any more. */
  get isRemoved(): boolean {
    return this.#isRemoved;
  }

  /** This host's, also while it does not answer. */
  get member(): LocalMember | undefined {
    return this.#member;
  }

  async #serving(limitMs: number): Promise<LocalMember> {
    const { times, log } = this.#world;
    if (!this.#member) {
      const member: LocalMember = new LocalMember({
        folder: this.#folder,
        program: await findEtcd(),
        times,
        log: childLog(log, 'etcd'),
        onFailed: (error) => {
          if (this.#member !== member) return;
          if (error instanceof SwarmError && error.code === 'conflict') this.#isRemoved = true;
          log.warn({ err: messageOf(error) }, 'The member of etcd of this host does not go on');
          if (this.#isRemoved) this.#world.onRemoved();
        },
      });
      this.#isRemoved = false;
      this.#member = member;
      await member.start();
    }
    const member = this.#member;
    await member.serves({ signal: new AbortController().signal, limitMs });
    return member;
  }

  /** Has the member of this host forget all others, which are lost, and serve by itself. Rejects with `unavailable`. */
  async alone(): Promise<void> {
    await this.stop();
    const config = this.#folder.read();
    if (!config) throw new SwarmError('unavailable', 'this host has no member of an etcd');
    this.#folder.write({ ...config, alone: true, others: [] });
    await this.#serving(SERVES_MS);
  }

  /** Ends it for now. */
  async stop(): Promise<void> {
    const member = this.#member;
    this.#member = undefined;
    await member?.stop();
  }

  /**
   * Ends it for good, with all that it has: as soon as the others have removed it, which they are asked for, or after a while where
   * nobody does. At once where `alone` says that there are no others.
   */
  async leave({ alone }: { readonly alone: boolean }): Promise<void> {
    if (this.#member && !this.#isRemoved && !alone) await this.#untilRemoved(this.#member);
    await this.stop();
    this.#folder.wipe();
  }

  async #untilRemoved(member: LocalMember): Promise<void> {
    const { times, log } = this.#world;
    const endMs = times.nowMs() + REMOVED_MS;
    const over = new AbortController();
    const { name, others = [] } = member.config;
    const client = member.clientOf([localEndpoint(member.config), ...others]);
    const asking = (async () => {
      const asked = { signal: over.signal, limitMs: REMOVED_MS };
      const own = (await listMembers(client, asked)).find((one) => one.name === name);
      if (own) await removeMember(client, own.id, asked);
    })().catch((error: unknown) => {
      // The leader does it as well.
      if (!over.signal.aborted)
        log.debug(
          { err: messageOf(error) },
          'The member of etcd of this host could not be removed by itself',
        );
    });
    while (!this.#isRemoved && times.nowMs() < endMs) await times.pause(LOOK_MS, over.signal);
    over.abort();
    await asking;
    client.close();
  }

  /** Removes what a move that was cut off has left; nothing of it is anybody's state. */
  async drop(): Promise<void> {
    await this.stop();
    this.#folder.wipe();
  }
}

/** Where the member of a host is that keeps its state there. */
export function memberFolderOf(stateDir: string): MemberFolder {
  return new MemberFolder(join(stateDir, 'etcd'));
}

async function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const probe = createServer();
  probe.once('error', () => resolve(false)).listen({ port, host: '0.0.0.0' }, () => resolve(true));
  return promise.finally(() => probe.close());
}

function memberOf(name: string, host: string): NewMember {
  return { name, ...placeOf(host), ports: USUAL_PORTS };
}

function placeOf(host: string): Pick<NewMember, 'host' | 'listen'> {
  return { host, listen: host.includes(':') ? '::' : '0.0.0.0' };
}

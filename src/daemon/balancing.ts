import { existsSync } from 'node:fs';
import { within } from '../base/async.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import { childLog, type Logger } from '../base/log.ts';
import type { BalancerMode } from '../model/index.ts';
import { forgetRemembered, readRemembered, saveRemembered, type WorkerPlace } from './balancer-memory.ts';
import { BalancerRun, type BalancerRunOptions, type OwnFindings } from './balancer-run.ts';
import { hostNode, type MemberNode } from './host-node.ts';
import type { StateFolder } from './state-folder.ts';
import type { ManagedSwarm } from './managed-swarm.ts';

export interface BalancingOptions extends Omit<BalancerRunOptions, 'memory' | 'onMode'> {
  /** The swarm that this host manages, where it does. */
  readonly swarm: () => ManagedSwarm | undefined;
  readonly folder: StateFolder;
  /** Takes out of the kernel whatever a balancer has put there. May reject. */
  readonly removeBalancing: () => Promise<void>;
}

/** What a worker's host finds of itself. */
export interface WorkerFindings extends OwnFindings {
  readonly place: WorkerPlace;
}

const LOOK_MS = 5_000;
/** Who changes the swarm of this host waits for the balancer that long. */
const FOLLOW_MAX_MS = 20_000;

/**
 * The balancer of this host: it begins when the host is a node of a swarm, managing or not, goes on in the kernel while
 * swarmd is away, and is removed when the host has left.
 */
export class Balancing {
  readonly #options: BalancingOptions;
  readonly #memory: string;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  #turn: Promise<void> = Promise.resolve();
  #run: BalancerRun | undefined;
  /** The node that this host is, or was by its memory. */
  #last: WorkerPlace | undefined;
  /** There may be something in the kernel; and that was so before this run. */
  #isTouched: boolean;
  #wasTouched: boolean;
  #trouble = '';

  constructor(options: BalancingOptions) {
    this.#options = options;
    this.#memory = options.folder.balancerMemory;
    this.#log = childLog(options.log, 'balancer');
    const kept = readRemembered(this.#memory);
    this.#last = kept?.place;
    // Half a file is a file.
    this.#wasTouched = kept?.touched ?? existsSync(this.#memory);
    this.#isTouched = this.#wasTouched;
  }

  /** What users of this host should know, as `docker info` shows it. */
  get warnings(): string[] {
    const all = [this.#trouble, ...(this.#run?.problems ?? [])];
    return all.filter((one) => one !== '').map((one) => `WARNING: ${one}`);
  }

  /** Looks every few seconds which node this host is, until the signal fires; what is in the kernel stays then. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#look();
      await this.#options.times.pause(LOOK_MS, signal);
    }
    this.#stop.abort(new Error('the daemon stops'));
    await this.#turn;
    await this.#end();
  }

  /** Looks now, because something has changed. Resolves when it was followed, or after 20 s; never rejects. */
  async changed(): Promise<void> {
    await within(FOLLOW_MAX_MS, 'the balancer', this.#look()).catch(() => undefined);
  }

  /** Has a worker's balancer look at its host, as BalancerRun tells. Undefined where this host is no worker that balances. */
  async examineWorker(service: string): Promise<WorkerFindings | undefined> {
    const [run, place] = [this.#run, this.#last];
    if (run?.kind !== 'worker' || !place) return undefined;
    const found = await run.examine(service);
    return found && { ...found, place };
  }

  #look(): Promise<void> {
    const { signal } = this.#stop;
    this.#turn = this.#turn
      .then(() => (signal.aborted ? undefined : this.#settle(signal)))
      .catch((error: unknown) => this.#say(messageOf(error)));
    return this.#turn;
  }

  async #settle(signal: AbortSignal): Promise<void> {
    const { engine, swarm } = this.#options;
    const node = await hostNode({ swarm: swarm(), engine, last: this.#last }, signal);
    if (node.kind === 'unknown') return this.#say(node.trouble);
    if (node.kind === 'outside') {
      if (this.#last || this.#isTouched) await this.#remove();
      return this.#say('');
    }
    const place = placeOf(node);
    const { clusterId, nodeId } = place;
    if (this.#last && (this.#last.clusterId !== clusterId || this.#last.nodeId !== nodeId))
      await this.#remove();
    if (this.#run?.kind !== node.kind) {
      await this.#end();
      await this.#mark(place);
      const onMode = (mode: BalancerMode): void => this.#see(mode);
      this.#run = new BalancerRun(node, { ...this.#options, memory: this.#memory, onMode });
    } else this.#run.update(node);
    this.#last = place;
    this.#say('');
  }

  /** From now on something may be in the kernel: whoever finds this file knows. */
  async #mark(place: WorkerPlace): Promise<void> {
    const { touched, told } = readRemembered(this.#memory) ?? {};
    if (!touched) await saveRemembered(this.#memory, { place, touched: true, told });
    this.#isTouched = true;
  }

  /** A balancer that leaves the kernel alone leaves nothing to be removed, unless there was something before. */
  #see(mode: BalancerMode): void {
    if (mode === 'nftables') this.#wasTouched = true;
    if (this.#wasTouched || !this.#isTouched || !this.#run) return;
    this.#isTouched = false;
    if (this.#run.kind === 'worker') this.#run.untouched();
    else this.#forget();
  }

  /** Stops the balancer; what is in the kernel stays. */
  async #end(): Promise<void> {
    await this.#run?.end();
    this.#run = undefined;
  }

  /** Tried again at the next look where it fails. */
  async #remove(): Promise<void> {
    await this.#end();
    try {
      if (this.#isTouched) await this.#options.removeBalancing();
    } catch (error) {
      const words = `what was balanced can't be removed: ${messageOf(error)}`;
      throw new SwarmError('unavailable', words, { cause: error });
    }
    this.#forget();
    this.#last = undefined;
    this.#isTouched = false;
    this.#wasTouched = false;
    this.#log.info('The balancer of this host has ended: nothing of it is left');
  }

  #forget(): void {
    try {
      forgetRemembered(this.#memory);
    } catch (error) {
      this.#log.warn(
        { path: this.#memory, err: messageOf(error) },
        'What is balanced could not be forgotten',
      );
    }
  }

  #say(trouble: string): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    if (trouble !== '') this.#log.warn({ reason: trouble }, 'This host does not balance as it should');
  }
}

function placeOf(node: MemberNode): WorkerPlace {
  if (node.kind === 'worker') return node.place;
  const { clusterId, nodeId } = node;
  return { clusterId, nodeId, managers: [], dataRoot: '' };
}

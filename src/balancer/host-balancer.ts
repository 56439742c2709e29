import { Bell } from '../base/bell.ts';
import { messageOf } from '../base/errors.ts';
import { childLog, type Logger } from '../base/log.ts';
import { sameValue } from '../base/same-value.ts';
import type { BalancerMode, BalancerReport, DoctorFinding } from '../model/index.ts';
import { clearHost, hasTraces } from './clear-host.ts';
import { Enforcement, type Due } from './enforcement.ts';
import { examineHost, type Examined } from './examine/examine.ts';
import { Firewall } from './firewall.ts';
import type { HostAccess } from './host-access.ts';
import { Kernel } from './kernel/kernel.ts';
import { LateBell } from './late-bell.ts';
import { findAbility, guessAbility, type Ability } from './mode.ts';
import { watchNamespaces } from './namespace-watch.ts';
import { ReservedPorts } from './ports/reserved-ports.ts';
import { OverlayPeers } from './peers/overlay-peers.ts';
import { Problems } from './problems.ts';
import { Questions } from './questions.ts';
import { keepRepaired } from './repair.ts';
import { rules } from './rules/index.ts';
import { Sandboxes } from './sandboxes.ts';
import { KnownState, type Changes } from './state.ts';
import { TaskSandboxes } from './task-sandboxes.ts';
import type { Balancer, BalancerOptions } from './types.ts';

/** After a round that did not succeed; while the engine makes a namespace. */
const AGAIN_MS = 1_000;
const SOON_MS = 50;
/** Rounds in a row that come soon because of a namespace that is not finished, before it is left to the slow ones. */
const MOST_SOON = 100;
const WATCH_AGAIN_MS = 1_000;

const ENGINE_BALANCES: DoctorFinding = {
  verdict: 'ok',
  subject: 'balancer',
  text: 'The kernel has IPVS: the engine balances by itself',
};

/** The balancer of a host, over what it is given of that. */
export class HostBalancer implements Balancer {
  readonly #options: BalancerOptions;
  readonly #host: HostAccess;
  readonly #log: Logger;
  readonly #problems: Problems;
  readonly #state = new KnownState();
  readonly #bell = new Bell();
  readonly #flowsBell = new Bell();
  readonly #firewallBell = new Bell();
  readonly #late: LateBell;
  readonly #questions: Questions;
  #changes: Changes = noChanges();
  #due: Due = { namespaces: true, ports: true, firewall: true };
  #ability: Ability;
  #enforcement: Enforcement | undefined;
  #peers: OverlayPeers | undefined;
  #examined: Examined | undefined;
  #ports: ReservedPorts | undefined;
  #inForce = 0;
  #told = false;
  #reported: BalancerReport | undefined;
  #soon = 0;

  constructor(options: BalancerOptions, host: HostAccess) {
    this.#options = options;
    this.#host = host;
    this.#log = childLog(options.log, 'balancer');
    this.#problems = new Problems(this.#log);
    this.#late = new LateBell(this.#bell, options.times);
    this.#ability = guessAbility(options.mode, host);
    this.#questions = new Questions(options.source, (id) => this.examine(id));
  }

  get mode(): BalancerMode {
    return this.#ability.mode;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { source, mode } = this.#options;
    this.#ability = await findAbility(mode, this.#host);
    for (const words of this.#ability.problems) this.#problems.set(words, words);
    this.#log.info({ mode: this.mode }, 'balancing');
    await allUntil(signal, (ending) => [
      ...(this.mode === 'nftables' ? this.#enforce(ending) : [this.#standBy(ending)]),
      this.#follow(source, ending),
      this.#questions.run(ending),
    ]).finally(() => this.#ports?.releaseAll());
  }

  async examine(serviceId: string): Promise<readonly DoctorFinding[]> {
    if (this.#examined) return examineHost(this.#examined, serviceId);
    return this.mode === 'engine' ? [ENGINE_BALANCES] : [];
  }

  serviceId(service: string): string | undefined {
    const all = [...this.#state.services.values()];
    const found =
      all.find(({ serviceId }) => serviceId === service) ?? all.find(({ name }) => name === service);
    return found?.serviceId;
  }

  /** The loops of a host that swarmd balances. */
  #enforce(signal: AbortSignal): Promise<void>[] {
    const { nodeId, engine, times } = this.#options;
    const { commands, listNamespaces, inodeOf, holdPort } = this.#host;
    const kernel = new Kernel(commands, rules.table, this.#ability.conntrack);
    const tasks = new TaskSandboxes({
      ...{ engine, times, inodeOf },
      log: this.#log,
      changed: () => this.#bell.ring(),
    });
    this.#ports = this.#ability.ipvs ? undefined : new ReservedPorts(holdPort);
    const firewall = new Firewall(commands);
    const peers = new OverlayPeers({
      ...{ nodeId, kernel, state: this.#state, problems: this.#problems },
      ...{ list: listNamespaces, clock: times },
    });
    this.#peers = peers;
    const sandboxes = new Sandboxes(kernel, listNamespaces);
    const enforcement = new Enforcement({
      ...{ nodeId, rules, kernel, tasks },
      state: this.#state,
      sandboxes,
      ports: this.#ports,
      firewall,
      problems: this.#problems,
    });
    this.#enforcement = enforcement;
    this.#examined = { nodeId, enforcement, kernel, firewall, peers, state: this.#state };
    const listener = {
      balancersChanged: () => this.#wake({ namespaces: true }),
      othersChanged: () => tasks.look(),
    };
    const repair = {
      ...{ places: enforcement.places, inodeOf },
      doubt: (path: string) => sandboxes.doubt(path),
      wake: (due: Partial<Due>) => this.#wake(due),
    };
    return [
      this.#rounds(enforcement, signal),
      this.#flows(enforcement, signal),
      this.#keepFirewall(enforcement, signal),
      tasks.run(signal),
      peers.run(signal),
      watchNamespaces(listNamespaces, times, listener, signal),
      keepRepaired(repair, times, this.#log, signal),
    ];
  }

  async #rounds(enforcement: Enforcement, signal: AbortSignal): Promise<void> {
    while (await this.#bell.heard(signal)) {
      if (!this.#told) continue; // what the kernel has is better than nothing
      try {
        await this.#round(enforcement, signal);
      } catch (error) {
        this.#log.error({ err: messageOf(error) }, 'a round of balancing failed');
        this.#late.ringIn(AGAIN_MS, signal);
      }
    }
  }

  async #round(enforcement: Enforcement, signal: AbortSignal): Promise<void> {
    const changes = this.#changes;
    const due = this.#due;
    const { version } = this.#state;
    this.#changes = noChanges();
    this.#due = { namespaces: false, ports: false, firewall: false };
    const { inForce, waiting, firewall } = await enforcement.round(changes, due).catch((error: unknown) => {
      this.#takeBack(changes);
      throw error;
    });
    if (inForce) this.#inForce = version;
    this.#peers?.note(changes);
    this.#soon = waiting ? this.#soon + 1 : 0;
    if (waiting && this.#soon < MOST_SOON) this.#late.ringIn(SOON_MS, signal);
    else if (waiting || !inForce) this.#late.ringIn(AGAIN_MS, signal);
    await this.#report();
    this.#flowsBell.ring();
    if (firewall) this.#firewallBell.ring();
  }

  async #flows(enforcement: Enforcement, signal: AbortSignal): Promise<void> {
    const late = new LateBell(this.#flowsBell, this.#options.times);
    while (await this.#flowsBell.heard(signal))
      if (!(await enforcement.forgetFlows())) late.ringIn(AGAIN_MS, signal);
  }

  async #keepFirewall(enforcement: Enforcement, signal: AbortSignal): Promise<void> {
    while (await this.#firewallBell.heard(signal)) {
      await enforcement.keepFirewall();
      await this.#report();
    }
  }

  /** Where swarmd does not balance, what it has put there in another mode goes; all is in force at once. */
  async #standBy(signal: AbortSignal): Promise<void> {
    if (this.#ability.clears) await this.#clear();
    while (await this.#bell.heard(signal)) {
      this.#changes = noChanges();
      this.#inForce = this.#state.version;
      await this.#report();
    }
  }

  async #clear(): Promise<void> {
    try {
      if (await hasTraces(this.#host)) await clearHost(this.#host);
    } catch (error) {
      this.#problems.set('clear', `what was balanced here before can't be removed: ${messageOf(error)}`);
    }
  }

  async #follow(source: BalancerOptions['source'], signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const needs = this.mode === 'nftables' ? 'all' : 'questions';
        for await (const update of source.watch(signal, needs)) {
          // Managers of a former version tell all to everybody.
          if (needs === 'all') this.#state.fold(update, this.#changes);
          else this.#state.version = update.version;
          this.#told = true;
          this.#questions.put(update.questions);
          this.#bell.ring();
        }
      } catch (error) {
        if (!signal.aborted) this.#log.error({ err: messageOf(error) }, 'the endpoints can not be followed');
      }
      await this.#options.times.pause(WATCH_AGAIN_MS, signal);
    }
  }

  async #report(): Promise<void> {
    const report: BalancerReport = {
      version: this.#inForce,
      mode: this.mode,
      problems: this.#problems.list,
      takenPorts: this.#enforcement?.takenPorts ?? [],
      keepsClients: this.#enforcement?.keepingTasks ?? [],
    };
    if (sameValue(report, this.#reported)) return;
    this.#reported = report;
    await this.#options.source.report(report);
  }

  #wake(due: Partial<Due>): void {
    Object.assign(this.#due, due);
    this.#bell.ring();
  }

  /** What a round that failed was to bring into force is for the next one. */
  #takeBack({ services, networks }: Changes): void {
    for (const key of services) this.#changes.services.add(key);
    this.#changes.networks ||= networks;
    this.#due = { namespaces: true, ports: true, firewall: true };
  }
}

/** Runs loops until the signal fires or one of them fails, and all have ended; rejects as the first that failed. */
async function allUntil(
  signal: AbortSignal,
  begin: (ending: AbortSignal) => readonly Promise<void>[],
): Promise<void> {
  const failed = new AbortController();
  const loops = begin(AbortSignal.any([signal, failed.signal]));
  const all = Promise.all(loops);
  await all.catch(() => failed.abort());
  await Promise.allSettled(loops);
  await all;
}

function noChanges(): Changes {
  return { services: new Set(), networks: false };
}

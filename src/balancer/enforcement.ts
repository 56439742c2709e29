import { eachLimited } from '../base/async.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import type { MeshPortRef } from '../model/index.ts';
import type { Firewall } from './firewall.ts';
import type { Kernel } from './kernel/kernel.ts';
import { PlaceRules } from './place-rules.ts';
import { isTaskKey, placeKey, placeName } from './places.ts';
import type { ReservedPorts } from './ports/reserved-ports.ts';
import type { Problems } from './problems.ts';
import { PublishedPorts } from './published-ports.ts';
import {
  firewallRules,
  type Frame,
  type HostFacts,
  type Place,
  type Rules,
  type Wish,
} from './rules/index.ts';
import { HOST_SANDBOX, type Sandbox, type Sandboxes } from './sandboxes.ts';
import type { Changes, KnownState } from './state.ts';
import type { TaskSandboxes } from './task-sandboxes.ts';
import { WishedUnits, type PlaceChange } from './wished-units.ts';

/** Namespaces that are worked on at once. */
const AT_ONCE = 4;

export interface EnforcementParts {
  readonly nodeId: string;
  readonly state: KnownState;
  readonly rules: Rules;
  readonly kernel: Kernel;
  readonly sandboxes: Sandboxes;
  readonly tasks: TaskSandboxes;
  /** Undefined where the engine holds the ports. */
  readonly ports: ReservedPorts | undefined;
  readonly firewall: Firewall;
  readonly problems: Problems;
}

/** What a round is to look at anew, beside the changes of the state. */
export interface Due {
  namespaces: boolean;
  ports: boolean;
  firewall: boolean;
}

/** How a round ended. */
export interface RoundResult {
  /** All that was known at its beginning is in force in every place that exists. */
  readonly inForce: boolean;
  /** The engine is about to finish a namespace. */
  readonly waiting: boolean;
  /** The engine's firewall is to be looked at. */
  readonly firewall: boolean;
}

/** Brings the host's namespaces to what the state asks for, round by round; one round at a time. */
export class Enforcement {
  readonly places = new Map<string, PlaceRules>();
  readonly wished: WishedUnits;
  readonly #parts: EnforcementParts;
  readonly #published = new PublishedPorts();
  #found: ReadonlyMap<string, Sandbox> = new Map();
  #waiting = false;
  #facts: HostFacts;

  constructor(parts: EnforcementParts) {
    this.#parts = parts;
    this.wished = new WishedUnits(parts.rules);
    this.#facts = { nodeId: parts.nodeId, meshAddress: '', meshPrefix: '', takenPorts: new Set() };
  }

  get facts(): HostFacts {
    return this.#facts;
  }

  /** Published ports that are left to whoever listens on them. */
  get takenPorts(): readonly MeshPortRef[] {
    return [...(this.#parts.ports?.taken.values() ?? [])];
  }

  /** Tasks of this node whose namespaces have all that they need to answer clients at their own address. */
  get keepingTasks(): readonly string[] {
    return [...this.wished.frames].flatMap(([key, { place }]) =>
      place.kind === 'task' && this.sandboxOf(place) && this.places.get(key)?.settled ? [place.taskId] : [],
    );
  }

  /** Where a place is; undefined while the engine has not made it. */
  sandboxOf(place: Place): Sandbox | undefined {
    switch (place.kind) {
      case 'host':
        return HOST_SANDBOX;
      case 'mesh':
        return this.#meshSandbox;
      case 'network':
        return this.#found.get(place.networkId);
      case 'task':
        return this.#parts.tasks.found.get(place.taskId);
    }
  }

  async round(changes: Changes, due: Due): Promise<RoundResult> {
    const { state, sandboxes } = this.#parts;
    if (due.namespaces || changes.networks || this.#waiting) {
      const { found, waiting } = await sandboxes.find(state.networks.values());
      this.#found = found;
      this.#waiting = waiting;
    }
    await this.#reserve(changes, due);
    const moved = this.#plan(changes);
    const inForce = await this.#apply();
    await this.#leaveOthers();
    return { inForce, waiting: this.#waiting, firewall: due.firewall || moved };
  }

  /**
   * Forgets the connections whose backends are gone, where the rules are in force. Beside the rounds: it may
   * take its time. False where some are left.
   */
  async forgetFlows(): Promise<boolean> {
    const { problems } = this.#parts;
    let complete = true;
    await eachLimited([...this.places], AT_ONCE, async ([key, place]) => {
      const name = `flows/${key}`;
      try {
        await place.forgetFlows();
        problems.clear(name);
      } catch (error) {
        const words = `connections to tasks that have ended were not reset: ${messageOf(error)}`;
        if (isGone(error)) return;
        problems.set(name, words);
        complete = false;
      }
    });
    return complete;
  }

  get #meshSandbox(): Sandbox | undefined {
    for (const network of this.#parts.state.networks.values())
      if (network.ingress) return this.#found.get(network.id);
    return undefined;
  }

  async #reserve(changes: Changes, due: Due): Promise<void> {
    let wanted = due.ports;
    for (const key of changes.services)
      wanted = this.#published.put(key, this.#parts.state.services.get(key)) || wanted;
    const { ports, problems } = this.#parts;
    if (!wanted || !ports) return;
    await ports.want(this.#published.all);
    problems.put('ports', ports.faults[0]);
  }

  /** Whether the mesh's sandbox has another address than before. */
  #plan(changes: Changes): boolean {
    const { state, nodeId, ports, tasks } = this.#parts;
    const facts: HostFacts = {
      nodeId,
      ...meshFacts(this.#meshSandbox),
      takenPorts: new Set(ports?.taken.keys()),
    };
    const before = this.#facts;
    const all = changes.networks || !sameFacts(facts, before);
    this.#facts = facts;
    const wish: Wish = { facts, networks: state.networks };
    const keys = all ? new Set([...changes.services, ...state.services.keys()]) : changes.services;
    const framed = all || [...keys].some((key) => state.keepers.has(key) || this.wished.keepsClients(key));
    const byPlace = new Map<string, PlaceChange>();
    for (const key of keys) this.wished.planService(wish, key, state.services.get(key), byPlace);
    if (framed) {
      this.wished.planFrames(wish, state.keepers.values());
      tasks.want(
        [...this.wished.frames.values()].flatMap(({ place }) =>
          place.kind === 'task' ? [place.taskId] : [],
        ),
      );
    }
    for (const [key, change] of byPlace) this.#placeOf(key).note(change);
    return facts.meshAddress !== before.meshAddress;
  }

  /** Looks at the engine's firewall. Beside the rounds: it has to wait for whoever changes that. One call at a time. */
  async keepFirewall(): Promise<void> {
    const { firewall, problems } = this.#parts;
    const { meshAddress } = this.#facts;
    try {
      await firewall.keep(meshAddress === '' ? [] : firewallRules(meshAddress));
      problems.clear('firewall');
    } catch (error) {
      problems.set(
        'firewall',
        `published ports may not be let through the host's firewall: ${messageOf(error)}`,
      );
    }
  }

  /** The host comes last: what it sends on is answered by then. */
  async #apply(): Promise<boolean> {
    const frames = [...this.wished.frames.values()];
    const results: boolean[] = [];
    const enforce = async (frame: Frame): Promise<void> => void results.push(await this.#enforce(frame));
    await eachLimited(
      frames.filter(({ place }) => place.kind !== 'host'),
      AT_ONCE,
      enforce,
    );
    await eachLimited(
      frames.filter(({ place }) => place.kind === 'host'),
      AT_ONCE,
      enforce,
    );
    return results.every(Boolean);
  }

  async #enforce(frame: Frame): Promise<boolean> {
    const { problems, state } = this.#parts;
    const key = placeKey(frame.place);
    const place = this.#placeOf(key);
    const sandbox = this.sandboxOf(frame.place);
    if (!sandbox) return true;
    const name = placeName(frame.place, state.networks);
    try {
      await place.enforce({ frame, units: this.wished.unitsOf(key) }, sandbox);
      problems.clear(`place/${key}`);
      const refused = place.refused.join('; ');
      problems.put(
        `refused/${key}`,
        refused === '' ? undefined : `${name}: the kernel does not take some rules: ${refused}`,
      );
      return true;
    } catch (error) {
      if (isGone(error)) {
        this.#waiting = true;
        return true;
      }
      problems.set(`place/${key}`, `${name} does not balance as it should: ${messageOf(error)}`);
      return false;
    }
  }

  /**
   * Places that take part no more, most of whose namespaces the engine has taken away itself. A task's stays as it is: its
   * open connections need it for as long as it lives.
   */
  async #leaveOthers(): Promise<void> {
    const left = [...this.places].filter(([key]) => !this.wished.frames.has(key));
    await eachLimited(left, AT_ONCE, async ([key, place]) => {
      this.places.delete(key);
      for (const kind of ['place', 'refused', 'flows']) this.#parts.problems.clear(`${kind}/${key}`);
      if (!isTaskKey(key)) await place.clear().catch(() => undefined);
    });
  }

  #placeOf(key: string): PlaceRules {
    const known = this.places.get(key);
    if (known) return known;
    const made = new PlaceRules(this.#parts.kernel, this.#parts.rules.change);
    this.places.set(key, made);
    return made;
  }
}

/** The engine took the namespace away meanwhile. */
function isGone(error: unknown): boolean {
  return error instanceof SwarmError && error.code === 'not-found';
}

function meshFacts(mesh: Sandbox | undefined): Pick<HostFacts, 'meshAddress' | 'meshPrefix'> {
  const meshPrefix = mesh?.outerAddress ?? '';
  return { meshAddress: meshPrefix.split('/')[0] ?? '', meshPrefix };
}

function sameFacts(a: HostFacts, b: HostFacts): boolean {
  const samePorts =
    a.takenPorts.size === b.takenPorts.size && [...a.takenPorts].every((port) => b.takenPorts.has(port));
  return samePorts && a.meshPrefix === b.meshPrefix;
}

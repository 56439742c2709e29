import type { Logger } from 'pino';
import { eachLimited } from '../../base/async.ts';
import { messageOf } from '../../base/errors.ts';
import {
  asArray,
  asObject,
  asString,
  asStringRecord,
  asStrings,
  isObject,
  type Json,
} from '../../base/json.ts';
import type { EngineEvent } from '../../engine/index.ts';
import { Container, NO_DETAILS, readDetails, type ContainerDetails } from './container.ts';
import type { ContainerIndex } from './container-index.ts';
import type { EngineNode } from './engine-node.ts';
import { InspectCache } from './inspect-cache.ts';
import { remainsOf } from './remains.ts';
import { movesOnFailure } from './reschedule-labels.ts';
import { Stops } from './stops.ts';

/** What an engine has besides containers; each is read whole when one of its kind changes. */
export type Kind = 'images' | 'networks' | 'volumes';

const KINDS: readonly Kind[] = ['images', 'networks', 'volumes'];
const READ_TIMEOUT_MS = 10_000;
const INSPECTS_AT_ONCE = 8;
/** Events come in bursts; one reading serves a whole burst. */
const SETTLE_DELAY_MS = 25;
/** How long an engine may stay silent before an answer goes out without its latest changes. */
const SILENT_MS = 1_500;
/** How long an answer waits for an engine at most, were it to answer everything just in time. */
const SETTLE_MAX_MS = 2_000;
const SETTLE_LOOK_MS = 100;
/** So that who asks need not wait for a reading that was begun before, but a slow engine is not buried in readings. */
const READINGS_AT_ONCE = 4;
/** More containers than these are read by one list of all. */
const MAX_ASKED_BY_ID = 64;

/** Container events that change what the index holds. The others (exec_*, attach, resize, top …) change nothing. */
const CONTAINER_ACTIONS =
  /^(create|start|die|kill|stop|pause|unpause|rename|update|destroy|restart|oom|health_status.*)$/;
/** SIGTERM and SIGKILL, as events have them. */
const ENDING_SIGNALS = new Set(['15', '9']);
const IMAGE_ACTIONS = /^(pull|tag|untag|delete|import|load|create)$/;

/**
 * What one engine has, kept current: events and the manager's own requests mark what may have changed, and marked
 * things are read again, soon or when somebody asks (`settle`). What is marked while it is being read is read again.
 * Readings overlap: one that was begun earlier never takes the place of one that was begun later.
 */
export class Inventory {
  readonly #node: EngineNode;
  readonly #index: ContainerIndex;
  readonly #log: Logger;
  readonly containers = new Map<string, Container>();
  /** Containers of which a copy elsewhere has taken the place: to be removed, and shown nowhere until then. */
  readonly replaced = new Map<string, Container>();
  readonly inspections = new InspectCache();
  /** Of containers that are made again when the engine is lost. */
  readonly stops = new Stops();
  images: readonly Json[] = [];
  networks: readonly Json[] = [];
  volumes: readonly Json[] = [];
  /** What the engine last said along with its list of volumes. */
  volumeWarnings: readonly string[] = [];
  /** Changes with every change of images, networks or volumes. */
  version = 0;
  readonly #staleContainers = new Set<string>();
  readonly #staleKinds = new Set<Kind>();
  /** Counts the readings; those up to `#cleared` are of a time that is over. */
  #turns = 0;
  #cleared = 0;
  /** The reading that each container and kind was last taken from. */
  readonly #takenFrom = new Map<string, number>();
  readonly #readings = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #slow = false;
  /** When the engine last answered a reading, on the process's clock. */
  #answeredAt = 0;

  constructor(node: EngineNode, index: ContainerIndex, log: Logger) {
    this.#node = node;
    this.#index = index;
    this.#log = log;
  }

  /** Whether something marked has not been read yet. */
  get stale(): boolean {
    return this.#readings.size > 0 || this.#marked;
  }

  /** Reads everything. Throws when the engine can't be read; what was known then stays. */
  async load(signal: AbortSignal): Promise<void> {
    this.inspections.clear();
    for (const kind of KINDS) this.#staleKinds.delete(kind);
    await Promise.all([
      this.#readContainers(undefined, signal),
      ...KINDS.map((kind) => this.#readKind(kind, signal)),
    ]);
    this.#slow = false;
  }

  /** Takes note of an event of the engine. */
  heard(event: EngineEvent): void {
    const action = event.Action ?? event.status ?? '';
    const id = event.Actor?.ID ?? event.id ?? '';
    switch (event.Type) {
      case 'container':
        this.inspections.drop(id);
        this.#noteStop(id, action, event);
        if (CONTAINER_ACTIONS.test(action)) {
          if (action === 'destroy') this.#forget(id);
          this.markContainer(id);
        } else if (action === 'commit') this.mark('images');
        break;
      case 'image':
        if (IMAGE_ACTIONS.test(action)) this.mark('images');
        break;
      case 'network': {
        this.mark('networks');
        const container = event.Actor?.Attributes?.['container'];
        if (container && (action === 'connect' || action === 'disconnect')) this.markContainer(container);
        else this.inspections.clear();
        break;
      }
      case 'volume':
        if (action === 'create' || action === 'destroy' || action === 'prune') this.mark('volumes');
        break;
      default:
        break;
    }
  }

  #noteStop(id: string, action: string, event: EngineEvent): void {
    if (action === 'start' || action === 'destroy') this.stops.forget(id);
    if (action !== 'kill' || this.known(id)?.details.remains === undefined) return;
    const signal = event.Actor?.Attributes?.['signal'] ?? '';
    if (ENDING_SIGNALS.has(signal)) this.stops.killed(id, performance.now());
  }

  markContainer(id: string): void {
    if (id === '') return;
    this.inspections.drop(id);
    this.#staleContainers.add(id);
    this.#soon();
  }

  mark(kind: Kind): void {
    this.#staleKinds.add(kind);
    this.#soon();
  }

  /**
   * Waits until what was marked before the call is read, as long as a busy engine goes on answering and not for ever,
   * and not for one that hangs. Such an engine is not waited for again until it has answered.
   */
  async settle(): Promise<void> {
    if (!this.stale || this.#slow || !this.#node.healthy) return;
    const since = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setInterval(() => {
        const now = performance.now();
        const silentMs = now - Math.max(since, this.#answeredAt);
        if (silentMs > SILENT_MS || now - since > SETTLE_MAX_MS) resolve(true);
      }, SETTLE_LOOK_MS);
    });
    const read = this.#read().then(() => false);
    if (await Promise.race([read, late])) this.#slow = true;
    clearInterval(timer);
  }

  /** Adds a container the manager has just made, until the engine's own words are read. */
  add(summary: Json, details: ContainerDetails): void {
    const container = new Container(this.#node, summary, details);
    this.#put(container, this.#nextTurn());
    this.markContainer(container.id);
  }

  /** A container that the manager has just started runs, before the engine's own words are read. */
  started(id: string): void {
    const known = this.containers.get(id);
    if (known && known.state !== 'running') {
      const run = { ...known.details.run, startedAtMs: Date.now() + this.#node.clockSkewMs, health: '' };
      const summary = { ...known.summary, State: 'running', Status: 'Up Less than a second' };
      this.#put(new Container(this.#node, summary, { ...known.details, run }), this.#nextTurn());
    }
    this.markContainer(id);
  }

  /** Forgets a container that the manager has just removed; a reading under way does not bring it back. */
  remove(id: string): void {
    this.#forget(id);
    this.#takenFrom.set(id, this.#nextTurn());
    this.markContainer(id);
  }

  /** Forgets everything; the engine is gone or another one. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#cleared = this.#turns;
    this.inspections.clear();
    this.stops.clear();
    this.#staleContainers.clear();
    this.#staleKinds.clear();
    for (const id of [...this.containers.keys(), ...this.replaced.keys()]) this.#forget(id);
    this.images = [];
    this.networks = [];
    this.volumes = [];
    this.volumeWarnings = [];
    this.version += 1;
    this.#node.sched.setImages([]);
  }

  #soon(): void {
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // When it ends, what was marked meanwhile is read.
      if (this.#readings.size === 0) void this.#read();
    }, SETTLE_DELAY_MS);
  }

  /** Reads what is marked, and waits for what is being read. */
  async #read(): Promise<void> {
    while (this.#marked) {
      if (this.#readings.size >= READINGS_AT_ONCE) await Promise.race(this.#readings);
      else this.#begin();
    }
    await Promise.all(this.#readings);
  }

  #begin(): void {
    const reading = this.#readMarked().finally(() => {
      this.#readings.delete(reading);
      if (this.#marked && this.#node.healthy) this.#soon();
    });
    this.#readings.add(reading);
  }

  get #marked(): boolean {
    return this.#staleContainers.size > 0 || this.#staleKinds.size > 0;
  }

  async #readMarked(): Promise<void> {
    const ids = [...this.#staleContainers];
    const kinds = [...this.#staleKinds];
    this.#staleContainers.clear();
    this.#staleKinds.clear();
    const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
    try {
      await Promise.all([
        ids.length > 0
          ? this.#readContainers(ids.length > MAX_ASKED_BY_ID ? undefined : ids, signal, ids)
          : undefined,
        ...kinds.map((kind) => this.#readKind(kind, signal)),
      ]);
      this.#slow = false;
    } catch (error) {
      this.#log.debug({ err: messageOf(error) }, 'Failed to read what changed at the engine');
      // The node's own loop finds out what is wrong and reads everything when the engine is back.
      this.#node.suspect();
    }
  }

  /**
   * Reads the containers with these ids, or all, and inspects those that changed; `inspect` names ones to inspect
   * in any case.
   */
  async #readContainers(
    ids: readonly string[] | undefined,
    signal: AbortSignal,
    inspect?: readonly string[],
  ): Promise<void> {
    const filters = ids ? `&filters=${encodeURIComponent(JSON.stringify({ id: ids }))}` : '';
    const before = new Set(ids ?? [...this.containers.keys(), ...this.replaced.keys()]);
    const turn = this.#nextTurn();
    const early = this.#inspectKnown(ids ?? [], signal);
    const listed = asArray(await this.#json(`/containers/json?all=1${filters}`, signal)).filter(isObject);
    const must = new Set(inspect);
    const found = new Set<string>();
    await eachLimited(listed, INSPECTS_AT_ONCE, async (summary) => {
      const id = asString(summary['Id']);
      if (id === '') return;
      found.add(id);
      if (this.#isOver(id, turn)) return;
      const known = this.known(id);
      if (known && !must.has(id) && sameRun(known.summary, summary)) return;
      const details = await (early.get(id) ?? this.#inspect(id, signal));
      if (details) this.#put(new Container(this.#node, summary, details), turn);
    });
    for (const id of before) {
      if (found.has(id)) continue;
      this.#forget(id);
      this.#takenFrom.delete(id);
    }
  }

  /** Begins to inspect those that are known to be there: a slow engine is asked for all at once. */
  #inspectKnown(
    ids: readonly string[],
    signal: AbortSignal,
  ): Map<string, Promise<ContainerDetails | undefined>> {
    const known = ids.filter((id) => this.known(id)).slice(0, INSPECTS_AT_ONCE);
    return new Map(
      known.map((id) => {
        const details = this.#inspect(id, signal);
        // Whoever needs it hears of its failure.
        details.catch(() => undefined);
        return [id, details];
      }),
    );
  }

  /** Undefined when the container is gone again. */
  async #inspect(id: string, signal: AbortSignal): Promise<ContainerDetails | undefined> {
    const path = this.#node.path(`/containers/${id}/json`);
    const answer = await this.#node.client.call(path, { signal, timeoutMs: READ_TIMEOUT_MS });
    this.#answeredAt = performance.now();
    if (answer.status === 404) return undefined;
    // A container whose inspection fails at the engine is still there, must be seen to be removed, and holds what it held.
    if (answer.status !== 200) return this.known(id)?.details ?? NO_DETAILS;
    const text = answer.body.toString('utf8');
    const inspected = asObject(JSON.parse(text));
    const details = readDetails(inspected, this.#node.cores);
    const labels = asStringRecord(asObject(inspected['Config'])['Labels']);
    return movesOnFailure(labels) ? { ...details, remains: remainsOf(text) } : details;
  }

  async #readKind(kind: Kind, signal: AbortSignal): Promise<void> {
    const turn = this.#nextTurn();
    const answer = await this.#json(PATHS[kind], signal);
    if (this.#isOver(kind, turn)) return;
    this.#takenFrom.set(kind, turn);
    const list = asArray(kind === 'volumes' ? asObject(answer)['Volumes'] : answer).filter(isObject);
    this[kind] = list;
    if (kind === 'volumes') this.volumeWarnings = asStrings(asObject(answer)['Warnings']);
    this.version += 1;
    if (kind === 'images') {
      this.#node.sched.setImages(
        list.map((image) => ({
          id: asString(image['Id']),
          tags: [...asStrings(image['RepoTags']), ...asStrings(image['RepoDigests'])],
        })),
      );
    }
  }

  async #json(path: string, signal: AbortSignal): Promise<unknown> {
    const answer = await this.#node.client.json(this.#node.path(path), {
      signal,
      timeoutMs: READ_TIMEOUT_MS,
    });
    this.#answeredAt = performance.now();
    return answer;
  }

  #nextTurn(): number {
    this.#turns += 1;
    return this.#turns;
  }

  /** Whether what this reading says of a container or kind has been overtaken by a later one. */
  #isOver(key: string, turn: number): boolean {
    return turn <= this.#cleared || turn < (this.#takenFrom.get(key) ?? 0);
  }

  #put(container: Container, turn: number): void {
    if (this.#isOver(container.id, turn)) return;
    this.#takenFrom.set(container.id, turn);
    const others = this.#index.copies.put(container);
    // Those that give way go first, so that the index never has two of a name.
    for (const other of others) other.node.inventory.place(other);
    this.place(container);
  }

  /** Puts a container where it belongs: into the index, or aside while a copy elsewhere has its place. */
  place(container: Container): void {
    const { id } = container;
    const { copies } = this.#index;
    const counting = copies.counting(container);
    if (counting === container) {
      this.replaced.delete(id);
      if (this.containers.get(id) === container) return;
      this.containers.set(id, container);
      this.#index.put(container);
      this.#node.sched.put(container.facts());
      return;
    }
    // What is replaced while nobody can reach it stays replaced, whatever becomes of the copy meanwhile.
    if (counting && this.#node.lost) copies.replace(id);
    this.#hide(id);
    this.replaced.set(id, container);
  }

  /** A container of the engine, whether it counts or not. */
  known(id: string): Container | undefined {
    return this.containers.get(id) ?? this.replaced.get(id);
  }

  #forget(id: string): void {
    if (!this.known(id)) return;
    this.#takenFrom.delete(id);
    this.replaced.delete(id);
    this.#hide(id);
    for (const other of this.#index.copies.delete(id)) other.node.inventory.place(other);
  }

  #hide(id: string): void {
    if (!this.containers.delete(id)) return;
    this.#index.delete(id);
    this.#node.sched.delete(id);
  }
}

const PATHS: Record<Kind, string> = { images: '/images/json', networks: '/networks', volumes: '/volumes' };

/** Whether two list entries tell of the same run; their status texts differ by the second. */
function sameRun(a: Json, b: Json): boolean {
  return (
    a['State'] === b['State'] &&
    healthWord(a['Status']) === healthWord(b['Status']) &&
    ['Names', 'Ports', 'Image', 'NetworkSettings', 'Mounts'].every(
      (key) => JSON.stringify(a[key]) === JSON.stringify(b[key]),
    )
  );
}

function healthWord(status: unknown): string {
  return /\(([^)]*)\)/.exec(asString(status))?.[1] ?? '';
}

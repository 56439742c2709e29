import { imageReferences } from './image-name.ts';
import { PortTable } from './port-table.ts';
import type { ContainerFacts, ImageFacts, PortUse } from './facts.ts';

/** What is known of a node itself. Totals include the overcommit. */
export interface NodeFacts {
  readonly id: string;
  readonly name: string;
  /** host:port */
  readonly address: string;
  /** The engine's labels, and storagedriver, kernelversion, operatingsystem, ostype. */
  readonly labels: Readonly<Record<string, string>>;
  readonly totalNanoCpus: number;
  readonly totalMemoryBytes: number;
}

/** Label keys that a node keeps an index for; the oldest makes room for the next. */
const MAX_LABEL_INDEXES = 8;

// Where the figures of a node are.
const TROUBLE = 0;
const COUNT = 1;
const USED_CPU = 2;
const TOTAL_CPU = 3;
const USED_MEMORY = 4;
const TOTAL_MEMORY = 5;

/** The most that one container counts for: more than any node has, and sums stay exact. */
const MOST = 2 ** 50;

/** A reservation as it is counted: whole and bounded, and nothing for what is not above zero. */
export function reserved(amount: number): number {
  return amount > 0 ? Math.min(Math.ceil(amount), MOST) : 0;
}

function labelOf(labels: Readonly<Record<string, string>>, key: string): string {
  return Object.hasOwn(labels, key) ? (labels[key] ?? '') : '';
}

function count(map: Map<string, number>, key: string, by: 1 | -1): void {
  const now = (map.get(key) ?? 0) + by;
  if (now > 0) map.set(key, now);
  else map.delete(key);
}

/**
 * One node as placement sees it: an aggregate that its owner keeps up to date, also with the placements under
 * way. Every update costs the same however many containers there are. Indexes that few requests need (values
 * of one container label, image names) are built when first asked for.
 */
export class SchedulerNode {
  #facts: NodeFacts;
  #healthy = true;
  #failures = 0;
  /** What ranking reads of every node at every placement, side by side in memory. */
  readonly #figures = new Float64Array(6);
  #labels = new Map<string, string>();
  #slots: number | undefined;
  readonly #containers = new Map<string, ContainerFacts>();
  readonly #names = new Map<string, number>();
  readonly #ports = new PortTable();
  readonly #labelIndexes = new Map<string, Map<string, number>>();
  #images: readonly ImageFacts[] = [];
  #imageIndex: ReadonlySet<string> | undefined;

  constructor(init: NodeFacts) {
    this.#facts = init;
    this.setFacts(init);
  }

  setFacts(facts: Partial<NodeFacts>): void {
    this.#facts = { ...this.#facts, ...facts };
    this.#figures[TOTAL_CPU] = this.#facts.totalNanoCpus;
    this.#figures[TOTAL_MEMORY] = this.#facts.totalMemoryBytes;
    if (!facts.labels) return;
    this.#labels = new Map(Object.entries(facts.labels));
    const slots = this.#labels.get('containerslots');
    this.#slots = slots !== undefined && /^[+-]?\d{1,15}$/.test(slots) ? Number(slots) : undefined;
  }

  get id(): string {
    return this.#facts.id;
  }
  get name(): string {
    return this.#facts.name;
  }
  get address(): string {
    return this.#facts.address;
  }
  get labels(): Readonly<Record<string, string>> {
    return this.#facts.labels;
  }
  get totalNanoCpus(): number {
    return this.#facts.totalNanoCpus;
  }
  get totalMemoryBytes(): number {
    return this.#facts.totalMemoryBytes;
  }
  get usedNanoCpus(): number {
    return this.#figures[USED_CPU]!;
  }
  get usedMemoryBytes(): number {
    return this.#figures[USED_MEMORY]!;
  }
  get containerCount(): number {
    return this.#figures[COUNT]!;
  }
  get healthy(): boolean {
    return this.#healthy;
  }
  set healthy(healthy: boolean) {
    this.#healthy = healthy;
    this.#figures[TROUBLE] = healthy ? this.#failures : Infinity;
  }
  /** 0 is best; a node with more ranks below all nodes with fewer. */
  get failures(): number {
    return this.#failures;
  }
  set failures(failures: number) {
    this.#failures = failures;
    this.healthy = this.#healthy;
  }
  /** The failures, or Infinity for a node that is not healthy. */
  get trouble(): number {
    return this.#figures[TROUBLE]!;
  }
  /** How many containers the label `containerslots` allows; undefined without one, or when it is no whole number. */
  get slots(): number | undefined {
    return this.#slots;
  }

  /** Inserts a container, or replaces the one with its id. */
  put(container: ContainerFacts): void {
    this.delete(container.id);
    this.#containers.set(container.id, container);
    this.#account(container, 1);
  }

  delete(id: string): void {
    const container = this.#containers.get(id);
    if (!container) return;
    this.#containers.delete(id);
    this.#account(container, -1);
  }

  /** Replaces what is known of the node's images. */
  setImages(images: readonly ImageFacts[]): void {
    this.#images = images;
    this.#imageIndex = undefined;
  }

  get(id: string): ContainerFacts | undefined {
    return this.#containers.get(id);
  }

  containers(): IterableIterator<ContainerFacts> {
    return this.#containers.values();
  }

  label(key: string): string | undefined {
    return this.#labels.get(key);
  }

  hasContainer(nameOrId: string): boolean {
    return this.#names.has(nameOrId) || this.#containers.has(nameOrId);
  }

  hasContainerIdPrefix(prefix: string): boolean {
    for (const id of this.#containers.keys()) if (id.startsWith(prefix)) return true;
    return false;
  }

  containerNames(): IterableIterator<string> {
    return this.#names.keys();
  }

  containerIds(): IterableIterator<string> {
    return this.#containers.keys();
  }

  /** Whether that much is left; what is not asked for (0) is not looked at. */
  fits(nanoCpus: number, memoryBytes: number): boolean {
    const figures = this.#figures;
    return (
      (nanoCpus === 0 || figures[USED_CPU]! + nanoCpus <= figures[TOTAL_CPU]!) &&
      (memoryBytes === 0 || figures[USED_MEMORY]! + memoryBytes <= figures[TOTAL_MEMORY]!)
    );
  }

  /** Whole per cent of CPU and of memory in use after a placement, summed; 100 for what is not asked for. */
  weight(nanoCpus: number, memoryBytes: number): number {
    const figures = this.#figures;
    return (
      (nanoCpus === 0 ? 100 : Math.floor(((figures[USED_CPU]! + nanoCpus) * 100) / figures[TOTAL_CPU]!)) +
      (memoryBytes === 0
        ? 100
        : Math.floor(((figures[USED_MEMORY]! + memoryBytes) * 100) / figures[TOTAL_MEMORY]!))
    );
  }

  portTaken(use: PortUse): boolean {
    return this.#ports.taken(use);
  }

  /** The first of these ports that is taken, as `80/tcp`. */
  portConflict(asked: PortTable): string | undefined {
    return this.#ports.conflict(asked);
  }

  /** The distinct values that the containers have for a label; '' for those without it. */
  containerLabelValues(key: string): ReadonlyMap<string, unknown> {
    let index = this.#labelIndexes.get(key);
    if (!index) {
      index = new Map();
      for (const { labels } of this.#containers.values()) {
        count(index, labelOf(labels, key), 1);
      }
      const oldest = this.#labelIndexes.keys().next();
      if (this.#labelIndexes.size >= MAX_LABEL_INDEXES && !oldest.done)
        this.#labelIndexes.delete(oldest.value);
      this.#labelIndexes.set(key, index);
    }
    return index;
  }

  /** Every way in which the images of this node can be named. */
  imageReferences(): ReadonlySet<string> {
    return (this.#imageIndex ??= imageReferences(this.#images));
  }

  #account(container: ContainerFacts, by: 1 | -1): void {
    this.#figures[USED_CPU]! += by * reserved(container.nanoCpus);
    this.#figures[USED_MEMORY]! += by * reserved(container.memoryBytes);
    this.#figures[COUNT]! += by;
    if (container.name !== '') count(this.#names, container.name, by);
    for (const port of container.ports) {
      if (by === 1) this.#ports.add(port);
      else this.#ports.remove(port);
    }
    for (const [key, index] of this.#labelIndexes) {
      count(index, labelOf(container.labels, key), by);
    }
  }
}

import type { BalancerReport, Task } from '../model/index.ts';
import { differing } from './differing.ts';
import { Follower } from './follower.ts';
import type { UpdateStream } from './update-stream.ts';

const NONE: ReadonlySet<UpdateStream> = new Set();

/** The balancers that follow, by node and by network. Of a node that the store has not, nothing is kept. */
export class Followers {
  readonly #byNode = new Map<string, Follower>();
  readonly #byNetwork = new Map<string, Set<UpdateStream>>();

  get(nodeId: string): Follower | undefined {
    return this.#byNode.get(nodeId);
  }

  streamOf(nodeId: string): UpdateStream | undefined {
    return this.#byNode.get(nodeId)?.stream;
  }

  /** The streams of the nodes that take part in a network. */
  on(networkId: string): ReadonlySet<UpdateStream> {
    return this.#byNetwork.get(networkId) ?? NONE;
  }

  /** The nodes on a network that are to be waited for. */
  heeded(networkId: string): string[] {
    return [...this.on(networkId)].flatMap(({ nodeId }) => (this.#isHeeded(nodeId) ? [nodeId] : []));
  }

  /** Whether there is any. */
  hasHeeded(networkId: string): boolean {
    for (const { nodeId } of this.on(networkId)) if (this.#isHeeded(nodeId)) return true;
    return false;
  }

  keepsClient({ id, nodeId }: Task): boolean {
    return this.#byNode.get(nodeId)?.keeps.has(id) ?? false;
  }

  /** The node's stream from now on; an older one ends with that reason. */
  open(stream: UpdateStream, reason: Error): void {
    const follower = this.#of(stream.nodeId);
    if (follower.stream) this.#leave(follower.stream);
    follower.follow(stream, reason);
    for (const id of stream.networks) this.#enter(stream, id);
  }

  /** A stream has ended. */
  close(stream: UpdateStream): void {
    this.#leave(stream);
    const follower = this.#byNode.get(stream.nodeId);
    if (follower?.stream === stream) follower.stream = undefined;
  }

  setNetworks(stream: UpdateStream, networks: ReadonlySet<string>): void {
    this.#leave(stream);
    stream.setNetworks(networks);
    for (const id of networks) this.#enter(stream, id);
  }

  late(nodeId: string): void {
    const follower = this.#byNode.get(nodeId);
    if (follower) follower.isLate = true;
  }

  /**
   * Keeps what a node's balancer said; tells of the tasks that do or do not keep their clients' addresses from now on. Returns
   * the version that is in force: no later one than was told.
   */
  report(nodeId: string, report: BalancerReport, keepsChanged: (taskId: string) => void): number {
    const follower = this.#of(nodeId);
    const version = Math.min(report.version, follower.stream?.version ?? 0);
    const before = follower.keeps;
    follower.report = { ...report, version };
    follower.keeps = new Set(report.keepsClients);
    follower.isLate = false;
    for (const id of differing(before, follower.keeps)) keepsChanged(id);
    return version;
  }

  remove(nodeId: string, reason: Error): void {
    const follower = this.#byNode.get(nodeId);
    if (!follower) return;
    if (follower.stream) this.#leave(follower.stream);
    follower.end(reason);
    this.#byNode.delete(nodeId);
  }

  end(reason: Error): void {
    for (const nodeId of [...this.#byNode.keys()]) this.remove(nodeId, reason);
  }

  #isHeeded(nodeId: string): boolean {
    return this.#byNode.get(nodeId)?.isHeeded ?? false;
  }

  #of(nodeId: string): Follower {
    let follower = this.#byNode.get(nodeId);
    if (!follower) this.#byNode.set(nodeId, (follower = new Follower(nodeId)));
    return follower;
  }

  #enter(stream: UpdateStream, networkId: string): void {
    const others = this.#byNetwork.get(networkId);
    if (others) others.add(stream);
    else this.#byNetwork.set(networkId, new Set([stream]));
  }

  #leave(stream: UpdateStream): void {
    for (const id of stream.networks) {
      const others = this.#byNetwork.get(id);
      others?.delete(stream);
      if (others?.size === 0) this.#byNetwork.delete(id);
    }
  }
}

import { isIP } from 'node:net';
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from '@connectrpc/connect';
import {
  ResourceAllocator,
  type AttachNetworkRequest,
  type DetachNetworkRequest,
} from '../../proto/generated/swarmkit/resource_pb.js';
import { newId } from '../base/ids.ts';
import type { Network } from '../model/index.ts';
import type { Fresh, LoopContext, View } from '../store/index.ts';
import { requireNode } from '../swarmkit/index.ts';
import { attachmentOutcome } from './attachment-outcome.ts';
import { STOPPED } from './session.ts';

/** Requests of one node that may be under way; a project of many containers starts them side by side. */
const UNDER_WAY_MAX = 256;
/** An engine asks for one address of each family. */
const ADDRESSES_MAX = 8;
const CONTAINER_ID = /^[\w.-]{1,128}$/;

/**
 * Places on networks for containers that are no tasks (`docker run --network`, `docker network connect`, Compose), as
 * SwarmKit's ResourceAllocator gives them: a task that asks for the network alone, on the node that wants it. Its engine
 * waits until its own agent has been told of that task, and takes it back when the container leaves.
 */
export class Attachments {
  readonly #context: LoopContext;
  readonly #isRunning: () => boolean;
  /** By node. */
  readonly #underWay = new Map<string, number>();

  constructor(context: LoopContext, isRunning: () => boolean) {
    this.#context = context;
    this.#isRunning = isRunning;
  }

  routes(router: ConnectRouter): void {
    router.service(ResourceAllocator, {
      attachNetwork: (request, call) => this.#attach(request, call),
      detachNetwork: (request, call) => this.#detach(request, call),
    });
  }

  async #attach(request: AttachNetworkRequest, call: HandlerContext): Promise<{ attachmentId: string }> {
    const nodeId = this.#caller(call);
    const running = this.#underWay.get(nodeId) ?? 0;
    if (running >= UNDER_WAY_MAX)
      throw new ConnectError('too many networks are asked for at a time', Code.ResourceExhausted);
    this.#underWay.set(nodeId, running + 1);
    try {
      return { attachmentId: await this.#attached(nodeId, request, call.signal) };
    } finally {
      const left = (this.#underWay.get(nodeId) ?? 1) - 1;
      if (left > 0) this.#underWay.set(nodeId, left);
      else this.#underWay.delete(nodeId);
    }
  }

  async #attached(nodeId: string, request: AttachNetworkRequest, signal: AbortSignal): Promise<string> {
    const { store, times } = this.#context;
    const wish = readWish(request);
    const id = await store.update((tx) => {
      const task = attachmentTask(nodeId, attachable(tx, wish.target).id, wish, times.wallMs());
      tx.create('task', task);
      return task.id;
    });
    const made = store.view.get('task', id);
    const outcome = made && (await attachmentOutcome(this.#context, made, signal));
    if (outcome === undefined) return id;
    await store.update((tx) => {
      if (tx.get('task', id)) tx.remove('task', id);
    });
    throw outcome;
  }

  async #detach(
    { attachmentId }: DetachNetworkRequest,
    call: HandlerContext,
  ): Promise<Record<string, never>> {
    const nodeId = this.#caller(call);
    if (attachmentId === '') throw new ConnectError('invalid argument', Code.InvalidArgument);
    await this.#context.store.update((tx) => {
      const task = tx.get('task', attachmentId);
      // SwarmKit would take any task of the node; a service's is not an engine's to remove.
      if (!task?.spec.attachment)
        throw new ConnectError(`attachment ${attachmentId} not found`, Code.NotFound);
      if (task.nodeId !== nodeId)
        throw new ConnectError(
          `attachment ${attachmentId} doesn't belong to this node`,
          Code.PermissionDenied,
        );
      tx.remove('task', attachmentId);
    });
    return {};
  }

  #caller(call: HandlerContext): string {
    if (!this.#isRunning()) throw STOPPED();
    return requireNode(call, this.#context.store.view).id;
  }
}

interface Wish {
  readonly target: string;
  readonly addresses: readonly string[];
  readonly containerId: string;
}

function readWish({ config, containerId }: AttachNetworkRequest): Wish {
  const { target = '', addresses = [] } = config ?? {};
  const isReadable =
    target !== '' &&
    CONTAINER_ID.test(containerId) &&
    addresses.length <= ADDRESSES_MAX &&
    addresses.every((text) => isIP(text) !== 0);
  if (!isReadable) throw new ConnectError('invalid argument', Code.InvalidArgument);
  return { target, addresses: [...addresses], containerId };
}

/** The network of that id or name. Throws NotFound, or PermissionDenied for one that is for services alone. */
function attachable(view: Pick<View, 'get' | 'byName'>, target: string): Network {
  const network = view.get('network', target) ?? view.byName('network', target);
  if (!network) throw new ConnectError(`network ${target} not found`, Code.NotFound);
  if (!network.spec.attachable)
    throw new ConnectError(`network ${target} not manually attachable`, Code.PermissionDenied);
  return network;
}

function attachmentTask(
  nodeId: string,
  networkId: string,
  { addresses, containerId }: Wish,
  nowMs: number,
): Fresh<'task'> {
  return {
    id: newId(),
    serviceId: '',
    slot: 0,
    nodeId,
    annotations: { name: '', labels: {} },
    serviceAnnotations: { name: '', labels: {} },
    spec: {
      attachment: { containerId },
      networks: [{ target: networkId, aliases: [], driverOptions: {}, addresses }],
      forceUpdate: 0,
    },
    specVersion: 0,
    status: {
      state: 'new',
      timestampMs: nowMs,
      message: 'created',
      err: '',
      ports: [],
      appliedBy: '',
      appliedAtMs: nowMs,
    },
    desiredState: 'running',
    networks: [],
    assignedGenericResources: [],
  };
}

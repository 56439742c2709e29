import { isIP } from 'node:net';
import type { Node, Task } from '../model/index.ts';
import type { View } from '../store/index.ts';

/** Engines tell one another of a new task within a few seconds. */
const SETTLED_MS = 10_000;
const MOST_PORTS = 3;

/** Published tcp ports that answer by now wherever something balances, some of them. */
export function answeringPorts(view: View, wallMs: number): readonly number[] {
  const ports: number[] = [];
  for (const { id, endpoint } of view.all('service')) {
    const port = endpoint?.ports.find(
      ({ publishMode, protocol, publishedPort }) =>
        publishMode === 'ingress' && protocol === 'tcp' && publishedPort !== 0,
    );
    if (!port || ![...view.tasksOfService(id)].some((task) => isSettled(view, task, wallMs))) continue;
    ports.push(port.publishedPort);
    if (ports.length === MOST_PORTS) break;
  }
  return ports;
}

function isSettled(view: View, { nodeId, status, desiredState }: Task, wallMs: number): boolean {
  return (
    status.state === 'running' &&
    desiredState === 'running' &&
    wallMs - status.appliedAtMs >= SETTLED_MS &&
    view.get('node', nodeId)?.status.state === 'ready'
  );
}

/**
 * The nodes whose address is theirs alone: not this host's, not loopback, not that of another node too, behind which
 * somebody else would answer.
 */
export function probeableNodes(nodes: Iterable<Node>, ownHost: string): readonly Node[] {
  const byAddress = new Map<string, Node[]>();
  for (const node of nodes) {
    const { addr } = node.status;
    const same = byAddress.get(addr);
    if (same) same.push(node);
    else byAddress.set(addr, [node]);
  }
  const chosen: Node[] = [];
  for (const [addr, [node, other]] of byAddress)
    if (node && !other && addr !== ownHost && isIP(addr) > 0 && !isLoopback(addr)) chosen.push(node);
  return chosen.filter(({ status }) => status.state === 'ready');
}

function isLoopback(addr: string): boolean {
  return addr.startsWith('127.') || addr === '::1' || /^::ffff:127\./i.test(addr);
}

import type { Cluster } from './cluster.ts';
import type { Network } from './network.ts';
import type { Node } from './node.ts';
import type { Seal } from './seal.ts';
import type { Config, Secret } from './secret.ts';
import type { Service } from './service.ts';
import type { Task } from './task.ts';

/** Everything that a swarm keeps, by kind. There is one cluster, and one seal at most. */
export interface Objects {
  seal: Seal;
  cluster: Cluster;
  node: Node;
  service: Service;
  task: Task;
  network: Network;
  secret: Secret;
  config: Config;
}

export type Kind = keyof Objects;

/** In the order in which one may name another: what is named stands first. */
export const KINDS: readonly Kind[] = [
  'seal',
  'cluster',
  'node',
  'network',
  'secret',
  'config',
  'service',
  'task',
];

import { isIPv4 } from 'node:net';
import type { BalancedNetwork, ServiceEndpoints } from '../../model/index.ts';
import { backendFlows, portFlows } from './flows.ts';
import { hostFrame, hostUnit } from './host-rules.ts';
import { meshFrame, meshUnit } from './mesh-rules.ts';
import { networkFrame, networkUnit } from './network-rules.ts';
import { change, TABLE } from './parts.ts';
import { taskFrames } from './task-rules.ts';
import type { Flow, Frame, Rules, Unit, Wish } from './types.ts';

/** The rules that a host needs. */
export const rules: Rules = { table: TABLE, frames, units, change, flows };

function frames(wish: Wish, services: Iterable<ServiceEndpoints>): readonly Frame[] {
  const { facts, networks } = wish;
  const all: Frame[] = [];
  for (const network of networks.values()) if (!network.ingress) all.push(networkFrame(network.id));
  const ingress = ingressOf(wish);
  if (ingress && isIPv4(facts.meshAddress)) {
    all.push(hostFrame(facts), meshFrame(facts.meshAddress));
    for (const service of services) all.push(...taskFrames(facts.nodeId, ingress, service));
  }
  return all;
}

function units(wish: Wish, service: ServiceEndpoints): readonly Unit[] {
  const network = wish.networks.get(service.networkId);
  if (network === undefined) return [];
  const found = network.ingress
    ? isIPv4(wish.facts.meshAddress) && [hostUnit(wish, service), meshUnit(wish, service)]
    : [networkUnit(wish, service)];
  return found === false ? [] : found.filter((unit) => unit !== undefined);
}

function flows(
  wish: Wish,
  before: ServiceEndpoints | undefined,
  after: ServiceEndpoints | undefined,
): readonly Flow[] {
  const networkId = (after ?? before)?.networkId ?? '';
  const network = wish.networks.get(networkId);
  if (network === undefined) return [];
  if (!network.ingress) return backendFlows({ kind: 'network', networkId }, before, after);
  return [...backendFlows({ kind: 'mesh' }, before, after), ...portFlows(before, after)];
}

/** There is one in a swarm. */
function ingressOf(wish: Wish): BalancedNetwork | undefined {
  for (const network of wish.networks.values()) if (network.ingress) return network;
  return undefined;
}

import type { Backend, ServiceEndpoints } from '../../model/index.ts';
import { soundBackends } from './sound.ts';

/** Those that get new connections, lowest address first. */
export function servingOf(service: ServiceEndpoints): readonly Backend[] {
  return soundBackends(service).filter(({ state }) => state === 'serving');
}

/**
 * nft's expression that takes one backend after the other for each new connection. Every node begins with another, so
 * that one connection from each of many nodes does not go to the same task.
 */
export function turnOf(nodeId: string, serviceId: string, backends: readonly Backend[]): string {
  const count = backends.length;
  const first = spread(`${nodeId}/${serviceId}`) % count;
  const elements = backends.map(({ address }, at) => `${(at - first + count) % count} : ${address}`);
  const inOrder = [...elements.slice(first), ...elements.slice(0, first)];
  return `numgen inc mod ${count} map { ${inOrder.join(', ')} }`;
}

/** FNV-1a. */
function spread(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

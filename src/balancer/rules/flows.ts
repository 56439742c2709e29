import { isIPv4 } from 'node:net';
import type { ServiceEndpoints } from '../../model/index.ts';
import { soundBackends, soundPorts } from './sound.ts';
import type { Flow, Place } from './types.ts';

/**
 * The connections to forget at a place when a service goes from `before` to `after`. A backend that gets no new
 * connections any more loses its UDP flows, which would never end, to others; one that is gone loses all, so that its
 * clients are reset.
 */
export function backendFlows(
  place: Place,
  before: ServiceEndpoints | undefined,
  after: ServiceEndpoints | undefined,
): Flow[] {
  const now = new Map(after === undefined ? [] : soundBackends(after).map((one) => [one.address, one.state]));
  const virtualIp = before?.virtualIp ?? '';
  const destination = isIPv4(virtualIp) && place.kind === 'network' ? virtualIp : '';
  const flow = (protocol: Flow['protocol'], backend: string): Flow => ({
    ...{ place, protocol, backend, destination, port: 0 },
  });
  return (before === undefined ? [] : soundBackends(before)).flatMap(({ address, state }) => {
    const next = now.get(address);
    if (next === undefined) return [flow('tcp', address), flow('udp', address), flow('sctp', address)];
    return next === 'leaving' && state === 'serving' ? [flow('udp', address)] : [];
  });
}

/**
 * On the host: a UDP flow to a port that was not published yet, or is no more, goes on as it was for as long as its
 * client speaks.
 */
export function portFlows(before: ServiceEndpoints | undefined, after: ServiceEndpoints | undefined): Flow[] {
  const [had, has] = [udpPorts(before), udpPorts(after)];
  const changed = [...had, ...has].filter((port) => !had.has(port) || !has.has(port));
  return changed.map((port) => ({
    ...{ place: { kind: 'host' }, protocol: 'udp', backend: '', destination: '', port },
  }));
}

function udpPorts(service: ServiceEndpoints | undefined): Set<number> {
  const ports = service === undefined ? [] : soundPorts(service);
  return new Set(ports.filter(({ protocol }) => protocol === 'udp').map(({ published }) => published));
}

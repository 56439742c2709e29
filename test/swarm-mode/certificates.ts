import { readFileSync } from 'node:fs';
import type { Host } from '../hosts/index.ts';

/** A file of an engine's agent, as it keeps it. */
function held(host: Host, name: string): string {
  const path = host.diskFolder(`docker/swarm/certificates/${name}`);
  return readFileSync(`/proc/${host.initPid}/root${path}`, 'utf8');
}

/** The certificate that an engine has. */
export function certificateOf(host: Host): string {
  return held(host, 'swarm-node.crt');
}

/** The root that it trusts. */
export function rootOf(host: Host): string {
  return held(host, 'swarm-root-ca.crt');
}

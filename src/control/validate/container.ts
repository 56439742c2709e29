import { SwarmError } from '../../base/errors.ts';
import type { ContainerSpec, Healthcheck, Mount } from '../../model/index.ts';
import { rpcError } from '../rpc-error.ts';
import { isImageReference } from './image.ts';
import { templateFault } from './template.ts';

/** Throws `invalid`, in SwarmKit's words, for what no agent can make a container from. */
export function checkContainer(spec: ContainerSpec): void {
  checkTemplates(spec);
  checkImage(spec.image);
  checkMounts(spec.mounts);
  if (spec.healthcheck) checkHealthcheck(spec.healthcheck);
}

function checkImage(image: string): void {
  if (image === '') {
    throw rpcError('InvalidArgument', 'ContainerSpec: image reference must be provided');
  }
  if (!isImageReference(image)) {
    throw rpcError(
      'InvalidArgument',
      `ContainerSpec: ${JSON.stringify(image)} is not a valid repository/tag`,
    );
  }
}

/** What agents fill in (`{{.Node.Hostname}}`), in the order and the words of SwarmKit. */
function checkTemplates({ hostname, env, mounts }: ContainerSpec): void {
  for (const one of env) {
    // Only a value is filled in, and a name alone has none.
    const at = one.indexOf('=');
    if (at >= 0) checkTemplate('env', one.slice(at + 1), `expanding env ${JSON.stringify(one)}: `);
  }
  for (const { source, target } of mounts) {
    checkTemplate('mounts', source, `expanding mount source ${JSON.stringify(source)}: `);
    checkTemplate('mounts', target, `expanding mount target ${JSON.stringify(target)}: `);
  }
  checkTemplate('hostname', hostname, '');
}

function checkTemplate(place: string, text: string, what: string): void {
  const fault = templateFault(text);
  if (fault === undefined) return;
  throw rpcError('InvalidArgument', `expanding ${place} failed: ${what}template: expansion:${fault}`);
}

function checkMounts(mounts: readonly Mount[]): void {
  const targets = new Set<string>();
  for (const mount of mounts) {
    if (targets.has(mount.target)) {
      throw rpcError('InvalidArgument', `ContainerSpec: duplicate mount point: ${mount.target}`);
    }
    targets.add(mount.target);
    checkMount(mount);
  }
}

/** What an agent would refuse each time it is given such a task, in its words. */
function checkMount({ type, source, target }: Mount): void {
  const refused = (why: string): SwarmError => rpcError('InvalidArgument', `ContainerSpec: ${why}`);
  if (type === 'cluster') throw new SwarmError('unsupported', 'cluster volumes (CSI) are not supported');
  if (type !== 'npipe' && !mayBeAbsolute(target)) {
    throw refused(`invalid mount target, must be an absolute path: ${target}`);
  }
  if (type === 'bind' && !mayBeAbsolute(source)) {
    throw refused(`invalid bind mount source, must be an absolute path: ${source}`);
  }
  if (type === 'volume' && source.startsWith('/')) {
    throw refused(`invalid volume mount source, must not be an absolute path: ${source}`);
  }
  if (type === 'tmpfs' && source !== '') throw refused('invalid tmpfs source, source must be empty');
  if (type === 'npipe' && source === '') throw refused('invalid npipe source, source must not be empty');
}

/** Absolute on Linux or on Windows, or not known before a template is filled in. */
function mayBeAbsolute(path: string): boolean {
  return /^(?:[/\\]|[a-z]:[/\\])/i.test(path) || path.includes('{{');
}

const MILLISECOND_NS = 1e6;

function checkHealthcheck(check: Healthcheck): void {
  const waits: [string, number | undefined][] = [
    ['Interval', check.intervalNs],
    ['Timeout', check.timeoutNs],
    ['StartPeriod', check.startPeriodNs],
    ['StartInterval', check.startIntervalNs],
  ];
  for (const [name, ns = 0] of waits) {
    if (ns !== 0 && ns < MILLISECOND_NS) {
      throw rpcError('InvalidArgument', `ContainerSpec: ${name} in HealthConfig cannot be less than 1ms`);
    }
  }
  if (check.retries < 0) {
    throw rpcError('InvalidArgument', 'ContainerSpec: Retries in HealthConfig cannot be negative');
  }
}

import { SwarmError } from '../../base/errors.ts';
import { formatCidr, overlaps } from '../../base/cidr.ts';
import { findIngress, PREDEFINED_LABEL, readVxlanIds, VXLAN_OPTION } from '../../allocator/index.ts';
import type { Network } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import { rpcError } from '../rpc-error.ts';
import { checkServiceName } from '../validate/names.ts';
import { checkIpam, subnetBlocks } from './check-ipam.ts';
import type { NetworkRequest } from './request.ts';

/** Names that mean networks of every engine. */
const PREDEFINED_NAMES: ReadonlySet<string> = new Set(['bridge', 'host', 'none', 'default']);

/** The drivers that SwarmKit has without a plugin. */
const DRIVERS: ReadonlySet<string> = new Set(['overlay', 'macvlan', 'ipvlan', 'bridge', 'host']);

const MTU_OPTION = 'com.docker.network.driver.mtu';

export function isPredefinedName(name: string): boolean {
  return PREDEFINED_NAMES.has(name);
}

/**
 * Checks a request for a network of the swarm by itself. Throws `forbidden`, `invalid`, `not-found` or `unsupported` in
 * Docker's words.
 */
export function checkRequest(request: NetworkRequest): void {
  const { name, driver, scope, ipam } = request;
  if (name.trim() === '') throw invalid('invalid name: name is empty');
  if (isPredefinedName(name)) throw forbidden(`operation is not permitted on predefined ${name} network`);
  if (driver === 'overlay' && scope === 'local')
    throw forbidden('cannot downgrade network scope for overlay networks');
  if (request.ingress && driver !== 'overlay')
    throw forbidden('Ingress network can only be global scope network');
  checkConfigFrom(request);
  checkIpam(ipam?.configs ?? [], request.ipv6 ?? false);
  if (request.attachable && request.ingress)
    throw rpcError('InvalidArgument', 'ingress network cannot be attachable');
  checkServiceName({ name, labels: {} });
  if (Object.hasOwn(request.labels, PREDEFINED_LABEL))
    throw rpcError(
      'PermissionDenied',
      `label ${PREDEFINED_LABEL} is for internally created predefined networks and cannot be applied by users`,
    );
  if (driver === '')
    throw rpcError('InvalidArgument', 'driver name: if driver is specified name is required');
  if (driver === 'null') throw noPlugin(driver);
  if (!DRIVERS.has(driver)) throw new SwarmError('not-found', `plugin "${driver}" not found`);
  const ipamDriver = ipam?.driver ?? '';
  if (ipamDriver !== '' && ipamDriver !== 'default') throw noPlugin(ipamDriver);
  checkOptions(request.options);
}

function checkConfigFrom({ configFrom, ipv6, labels, ipam, options }: NetworkRequest): void {
  if ((configFrom?.network ?? '') === '') return;
  const own =
    (ipam?.configs.length ?? 0) + Object.keys(ipam?.options ?? {}).length + Object.keys(labels).length;
  const hasDriver = ipam !== undefined && ipam.driver !== '' && ipam.driver !== 'default';
  if (ipv6 === true || own > 0 || hasDriver)
    throw forbidden(
      'user specified configurations are not supported if the network depends on a configuration network',
    );
  if (Object.keys(options).length > 0)
    throw forbidden(
      'network driver options are not supported if the network depends on a configuration network',
    );
}

function checkOptions(options: Readonly<Record<string, string>>): void {
  const get = (name: string): string => (Object.hasOwn(options, name) ? (options[name] ?? '') : '');
  const ids = get(VXLAN_OPTION);
  if (ids !== '' && !readVxlanIds(ids)) throw invalid(`invalid vxlan id value ${JSON.stringify(ids)} passed`);
  const mtu = get(MTU_OPTION);
  if (mtu !== '' && !/^\d{1,5}$/.test(mtu)) throw invalid(`invalid MTU value: ${mtu}`);
}

/**
 * Checks a request against the networks that there are. Throws `conflict` for a name or a second ingress network, and
 * for subnets and VXLAN ids of others: SwarmKit accepts those, and the network then never works.
 */
export function checkAgainstOthers(view: Pick<View, 'all' | 'byName'>, request: NetworkRequest): void {
  if (view.byName('network', request.name)) throw nameTaken(request.name);
  const ingress = request.ingress ? findIngress(view) : undefined;
  if (ingress) throw rpcError('AlreadyExists', `ingress network (${ingress.id}) is already present`);
  const blocks = subnetBlocks(request.ipam?.configs ?? []);
  const ids = new Set(idsIn(request.options));
  if (blocks.length === 0 && ids.size === 0) return;
  for (const other of view.all('network')) {
    const { name } = other.spec.annotations;
    const theirs = subnetBlocks((other.allocated?.ipam ?? other.spec.ipam)?.configs ?? []);
    for (const block of blocks) {
      const clash = theirs.find((their) => overlaps(block, their));
      if (!clash) continue;
      const which = `${formatCidr(block)} overlaps with ${formatCidr(clash)} of network ${name}`;
      throw forbidden(`Pool overlaps with other one on this address space: ${which}`);
    }
    const used = idsIn(optionsOf(other)).find((id) => ids.has(id));
    if (used !== undefined) throw invalid(`the VXLAN id ${used} is in use by network ${name}`);
  }
}

function noPlugin(name: string): SwarmError {
  return rpcError('InvalidArgument', `error during lookup of plugin ${name}`);
}

export function nameTaken(name: string): SwarmError {
  return new SwarmError('conflict', `network with name ${name} already exists`);
}

function optionsOf({ spec, allocated }: Network): Readonly<Record<string, string>> {
  return (allocated?.driver ?? spec.driver)?.options ?? {};
}

function idsIn(options: Readonly<Record<string, string>>): readonly number[] {
  return (Object.hasOwn(options, VXLAN_OPTION) ? readVxlanIds(options[VXLAN_OPTION] ?? '') : undefined) ?? [];
}

function invalid(message: string): SwarmError {
  return new SwarmError('invalid', message);
}

function forbidden(message: string): SwarmError {
  return new SwarmError('forbidden', message);
}

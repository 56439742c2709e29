import { deviceAddress, isLinkLocal, soleAddress } from './interfaces.ts';
import { sourceOf, type SwarmAddresses, type System } from './swarm-addresses.ts';

export interface SystemNow extends System {
  /** Whether this host has a device, which may have no address yet. */
  readonly hasDevice: (name: string) => boolean;
}

/**
 * The addresses of a manager as its host has them now: where the one that it advertised was the host's own and is so no more, that of
 * the same device; where the device is gone, the only one that the host has. The same object where nothing has changed. Throws
 * `invalid`, in Docker's words, where it does not show which address is meant; the former ones may be back later.
 */
export function addressesNow<T extends SwarmAddresses>(former: T, system: SystemNow): T {
  const { advertise } = former;
  const there = sourceOf(advertise.host, system);
  if (!former.source) return there ? { ...former, source: there } : former;
  const { device, isNamed } = former.source;
  if (there && (!isNamed || there.device === device)) return former;
  const host = hostNow(former.source, system);
  if (host === undefined || host === advertise.host) return former;
  const follow = (one: string): string => (one === advertise.host ? host : one);
  return {
    ...former,
    listen: { ...former.listen, host: follow(former.listen.host) },
    advertise: { ...advertise, host },
    dataPath: follow(former.dataPath),
    source: { device: sourceOf(host, system)?.device ?? device, isNamed },
  };
}

/** Undefined as long as the host may still be on its way to having one. */
function hostNow(
  { device, isNamed }: NonNullable<SwarmAddresses['source']>,
  { addresses, engineSubnets, hasDevice }: SystemNow,
): string | undefined {
  const usable = addresses.filter(({ ip, internal }) => !internal && !isLinkLocal(ip));
  const own = deviceAddress(device, usable);
  if (own !== undefined || isNamed || hasDevice(device)) return own;
  // Docker's own networks don't count, and are not known as long as the engine does not answer.
  return engineSubnets.length > 0 && usable.length > 0 ? soleAddress(usable, engineSubnets) : undefined;
}

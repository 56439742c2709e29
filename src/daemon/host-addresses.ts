import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { WorkerNode } from './attendance.ts';
import { engineSubnets } from './engine-swarm.ts';
import { hasDevice, systemAddresses } from './interfaces.ts';
import type { LocalEngine } from './local-engine.ts';
import type { ManagerPeers } from './manager-peers.ts';
import { addressesNow } from './moved-address.ts';
import type { LocalConfig } from './state-folder.ts';
import type { States } from './states.ts';
import { hostPort, sourceOf, swarmAddresses } from './swarm-addresses.ts';

interface HostAddressesOptions {
  readonly engine: LocalEngine;
  readonly peers: ManagerPeers;
  readonly states: Pick<States, 'kind'>;
  readonly log: Logger;
}

type AddressWish = Parameters<typeof swarmAddresses>[0];

const SWARM_PORT = 2377;

/** Where others reach the manager of this host. */
export class HostAddresses {
  readonly #options: HostAddressesOptions;

  constructor(options: HostAddressesOptions) {
    this.#options = options;
  }

  get ownAddresses(): ReadonlySet<string> {
    return new Set(systemAddresses().map(({ ip }) => ip));
  }

  /** As the user wishes; throws `invalid` in Docker's words. */
  async of(nodeId: string, wish: AddressWish): Promise<LocalConfig> {
    const { engine, states } = this.#options;
    const subnets = await engineSubnets(engine);
    const chosen = swarmAddresses(wish, { addresses: systemAddresses(), engineSubnets: subnets });
    return { nodeId, store: states.kind, ...chosen };
  }

  /** Of a host whose engine is a node already: the one at which it speaks to its managers. */
  async ofWorker({ place }: WorkerNode): Promise<LocalConfig> {
    const { peers, states } = this.#options;
    const [manager = ''] = place.managers;
    const listen = { host: '0.0.0.0', port: SWARM_PORT };
    const advertise = { host: await peers.localAddress(manager), port: SWARM_PORT };
    const source = sourceOf(advertise.host, { addresses: systemAddresses() });
    return {
      ...{ nodeId: place.nodeId, store: states.kind, listen, advertise, dataPath: '' },
      ...(source ? { source } : {}),
    };
  }

  /** At the address that the user names; the same where none is named. */
  async readdressed(former: LocalConfig, advertiseAddr: string): Promise<LocalConfig> {
    if (advertiseAddr === '') return former;
    const wish = { advertiseAddr, listenAddr: hostPort(former.listen), dataPathAddr: former.dataPath };
    return this.of(former.nodeId, wish);
  }

  /** Where this host is now; as before where that does not show. */
  async now(local: LocalConfig): Promise<LocalConfig> {
    const system = { addresses: systemAddresses(), hasDevice };
    try {
      const now = addressesNow(local, { ...system, engineSubnets: [] });
      const isClear = now !== local || !local.source || sourceOf(local.advertise.host, system) !== undefined;
      if (isClear || hasDevice(local.source.device)) return now;
      return addressesNow(local, { ...system, engineSubnets: await engineSubnets(this.#options.engine) });
    } catch (error) {
      this.#options.log.debug({ err: messageOf(error) }, 'The address of this host is not clear');
      return local;
    }
  }
}

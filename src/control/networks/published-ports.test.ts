import { expect, it } from 'vitest';
import { initialNetworks } from '../../allocator/index.ts';
import type { EndpointSpec, PortConfig, Service } from '../../model/index.ts';
import { memoryBackend, openStore } from '../../store/index.ts';
import { checkPublishedPorts } from './published-ports.ts';

const port = (publishedPort: number, more: Partial<PortConfig> = {}): PortConfig => ({
  name: '',
  protocol: 'tcp',
  targetPort: 80,
  publishedPort,
  publishMode: 'ingress',
  ...more,
});
const endpoint = (...ports: PortConfig[]): EndpointSpec => ({ mode: 'vip', ports });
const host = { publishMode: 'host' as const };

function service(id: string, spec: EndpointSpec, given: readonly PortConfig[] = []): Omit<Service, 'meta'> {
  return {
    id,
    specVersion: 1,
    spec: {
      annotations: { name: `name-${id}`, labels: {} },
      task: { networks: [], forceUpdate: 0 },
      mode: { kind: 'global' },
      endpoint: spec,
    },
    endpoint: { spec, ports: given, virtualIps: [] },
  };
}

async function check(spec: EndpointSpec | undefined, serviceId?: string, withIngress = true): Promise<void> {
  const { view, update } = await openStore(memoryBackend(), {
    nowMs: () => 0,
    onFault: () => undefined,
  }).then((store) => ({ view: store.view, update: store.update.bind(store) }));
  await update((tx) => {
    for (const network of initialNetworks())
      if (withIngress || !network.spec.ingress) tx.create('network', network);
    tx.create('service', service('fixed', endpoint(port(80))));
    tx.create('service', service('chosen', endpoint(port(0)), [port(30_000)]));
    tx.create('service', service('hosted', endpoint(port(90, host))));
  });
  checkPublishedPorts(view, spec ? { endpoint: spec } : {}, serviceId);
}

it.each([
  [endpoint(port(80)), "port '80' is already in use by service 'name-fixed' (fixed) as an ingress port"],
  [
    endpoint(port(80, host)),
    "port '80' is already in use by service 'name-fixed' (fixed) as an ingress port",
  ],
  [
    endpoint(port(30_000)),
    "port '30000' is already in use by service 'name-chosen' (chosen) as an ingress port",
  ],
  [
    endpoint(port(90)),
    "port '90' is already in use by service 'name-hosted' (hosted) as a host-published port",
  ],
])('refuses a port that another service has', async (spec, message) => {
  await expect(check(spec)).rejects.toMatchObject({
    code: 'invalid',
    message: `rpc error: code = InvalidArgument desc = ${message}`,
  });
});

it('lets what is not the same port be', async () => {
  await check(undefined);
  await check(endpoint(port(80)), 'fixed');
  await check(endpoint(port(0), port(0, host), port(90, host), port(80, { protocol: 'udp' }), port(81)));
});

it('refuses ports in ingress mode where there is no ingress network', async () => {
  await expect(check(endpoint(port(7)), undefined, false)).rejects.toThrow(
    'service needs ingress network, but no ingress network is present',
  );
  await check(endpoint(port(7, host)), undefined, false);
});

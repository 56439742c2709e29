import type { EntryOwner } from './overlay-view.ts';
import { macOf } from '../rules/hardware-address.ts';

/** Who has the neighbour, who the way, and where that leads, by address. */
export type OverlayEntries = Record<string, readonly [EntryOwner | '', EntryOwner | '', string]>;

/** For tests: what `ip` and `bridge` print of an overlay with the subnets 10.0.1.0/24 and 10.0.2.0/24. */
export function overlayText(known: OverlayEntries): string {
  const bridge = (ifname: string, local: string): object => ({
    ifname,
    addr_info: [{ family: 'inet', local, prefixlen: 24 }],
  });
  const links = [
    ...[bridge('br0', '10.0.1.1'), bridge('br1', '10.0.2.1')],
    { ifname: 'vxlan0', master: 'br0', addr_info: [] },
    { ifname: 'vxlan1', master: 'br1', addr_info: [] },
    { ifname: 'veth0', master: 'br0', addr_info: [] },
  ];
  const entries = Object.entries(known);
  const neighbours = [
    { dst: '10.0.1.77', dev: 'vxlan0', state: ['FAILED'] },
    { dst: '224.0.0.22', dev: 'br0', lladdr: '01:00:5e:00:00:16', state: ['NOARP'] },
    ...entries
      .filter(([, [owner]]) => owner !== '')
      .map(([dst, [owner]]) => ({
        ...{ dst, dev: 'vxlan0', lladdr: macOf(dst), state: ['PERMANENT'] },
        ...(owner === 'balancer' ? { extern_learn: null } : {}),
      })),
  ];
  const state = { engine: 'permanent', balancer: 'static', kernel: '' };
  const ways = [
    { mac: '8a:0d:cb:6e:fe:b7', ifname: 'vxlan0', flags: [], master: 'br0', state: 'permanent' },
    ...entries.flatMap(([address, [, owner, dst]]) =>
      owner === ''
        ? []
        : [{ mac: macOf(address), ifname: 'vxlan0', dst, flags: ['self'], state: state[owner] }],
    ),
  ];
  return [links, neighbours, ways].map((one) => `${JSON.stringify(one)}\n`).join('\n--\n');
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rules, type Frame, type Unit, type Wish } from '../../src/balancer/rules/index.ts';
import { backend, published, service, wish } from '../../src/balancer/rules/testing.ts';
import type { ServiceEndpoints } from '../../src/model/index.ts';
import { run } from '../hosts/index.ts';

/** Transactions one after the other in a network namespace that ends with them; gives what is in force then. */
async function inForce(transactions: readonly (readonly string[])[]): Promise<string[]> {
  const files = transactions.map((lines) => `nft -f - <<'END'\n${lines.join('\n')}\nEND\n`);
  const script = ['set -e\n', ...files, 'nft --stateless list table ip skep'].join('');
  return normal(await run('unshare', ['--net', '--', 'sh', '-c', script]));
}

/** The objects of a table, whatever order they were made in. */
function normal(listing: string): string[] {
  const objects = listing.split(/\n(?=\t\S)/).map((object) =>
    object.replace(/elements = \{([^}]*)\}/, (_, elements: string) => {
      const sorted = elements.split(',').map((one) => one.trim());
      return `elements = { ${sorted.sort().join(', ')} }`;
    }),
  );
  return objects.map((object) => object.replace(/[\s}]+$/, '')).sort();
}

type Kind = 'network' | 'mesh' | 'host';

function frameOf(kind: Kind): Frame {
  const frame = rules.frames(wish, []).find(({ place }) => place.kind === kind);
  if (!frame) throw new Error(`no frame of ${kind}`);
  return frame;
}

function unitsOf(kind: Kind, services: readonly ServiceEndpoints[]): Map<string, Unit> {
  const units = services.flatMap((one) => rules.units(wish, one)).filter(({ place }) => place.kind === kind);
  return new Map(units.map((unit) => [unit.key, unit]));
}

/** All that changes between two states, in one transaction. */
function transaction(before: ReadonlyMap<string, Unit>, after: ReadonlyMap<string, Unit>): string[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])];
  const changes = keys.map((key) => rules.change(before.get(key), after.get(key)));
  return [...changes.flatMap(({ remove }) => remove), ...changes.flatMap(({ add }) => add)];
}

const ids = ['a', 'b', 'c', 'd'];
const targets = fc.constantFrom(80, 81, 8000, 8001);
const protocols = fc.constantFrom('', '/udp', '/sctp');

/** Addresses and ports go from one service to another, but are never of two at once. */
const state = fc
  .record({
    owners: fc.array(fc.option(fc.constantFrom(...ids)), { minLength: 8, maxLength: 8 }),
    ports: fc.array(fc.tuple(fc.option(fc.constantFrom(...ids)), targets, protocols), {
      minLength: 4,
      maxLength: 4,
    }),
    ready: fc.boolean(),
    vips: fc.shuffledSubarray([2, 3, 4, 5], { minLength: 4 }),
  })
  .map(({ owners, ports, ready, vips }) =>
    ids.flatMap((serviceId, at) => {
      const own = owners.flatMap((owner, n) => (owner === serviceId ? [20 + n] : []));
      const backends = (prefix: string) => own.map((n) => backend(`${prefix}${n}`, { keepsClients: ready }));
      const mine = ports.flatMap(([owner, target, protocol], n) =>
        owner === serviceId ? [`${8000 + n}:${target}${protocol}`] : [],
      );
      return [
        { ...service(`10.0.1.${vips[at]}`, backends('10.0.1.')), serviceId },
        published(mine, backends('10.0.0.'), { serviceId, keepClients: at % 2 === 0 }),
      ];
    }),
  );

describe('rules in the kernel', () => {
  it.each<Kind>(['network', 'mesh', 'host'])(
    'changed step by step are those made at once: %s',
    async (kind) => {
      await fc.assert(
        fc.asyncProperty(fc.array(state, { minLength: 2, maxLength: 6 }), async (states) => {
          const frame = frameOf(kind);
          const units = [new Map<string, Unit>(), ...states.map((one) => unitsOf(kind, one))];
          const steps = units.slice(1).map((after, at) => transaction(units[at] ?? new Map(), after));
          const last = [...(units.at(-1)?.values() ?? [])].flatMap(({ add }) => add);
          const [stepwise, atOnce] = await Promise.all([
            inForce([frame.nft, ...steps]),
            inForce([[...frame.nft, ...last]]),
          ]);
          expect(stepwise).toEqual(atOnce);
        }),
        { numRuns: 12 },
      );
    },
  );

  it.each<Kind>(['network', 'mesh', 'host'])('leave nothing when all is removed: %s', async (kind) => {
    const all = unitsOf(kind, [
      service('10.0.1.2', [backend('10.0.1.3')]),
      published(['80:80', '81:80', '8080:81', '53:53/udp'], [backend('10.0.0.6', { keepsClients: true })], {
        keepClients: true,
      }),
    ]);
    const { nft } = frameOf(kind);
    const units = [...all.values()];
    expect(
      await inForce([[...nft, ...units.flatMap(({ add }) => add)], units.flatMap(({ remove }) => remove)]),
    ).toEqual(await inForce([nft]));
  });

  it('are taken where two services claim one address and one port', async () => {
    const pair = (['a', 'b'] as const).map((serviceId) => [
      { ...service('10.0.1.2', [backend('10.0.1.3')]), serviceId },
      published(['80:80', '81:80'], [backend('10.0.0.6', { keepsClients: true })], {
        serviceId,
        keepClients: true,
      }),
    ]);
    for (const kind of ['network', 'mesh', 'host'] as const) {
      const { nft } = frameOf(kind);
      const [one, both] = [unitsOf(kind, pair[0] ?? []), unitsOf(kind, pair.flat())];
      const steps = [transaction(new Map(), both), transaction(both, one), transaction(one, new Map())];
      expect(await inForce([nft, ...steps])).toEqual(await inForce([nft]));
    }
  });

  it('are taken for a thousand tasks and a range of a hundred ports', async () => {
    const many = Array.from({ length: 1000 }, (_, n) => backend(`10.0.${4 + (n >> 8)}.${n & 255}`));
    const ports = Array.from({ length: 100 }, (_, n) => `${30_000 + n}:${30_000 + n}`);
    const { nft } = frameOf('mesh');
    const units = unitsOf('mesh', [published([...ports, '80:8080'], many)]);
    const listing = await inForce([[...nft, ...[...units.values()].flatMap(({ add }) => add)]]);
    expect(listing.filter((object) => object.includes('numgen inc mod 1000')).length).toBe(2);
  });

  it('are taken in the namespace of a task that keeps its clients', async () => {
    const entries = Array.from({ length: 50 }, (_, n) => ({ nodeId: `n${n}`, address: `10.0.0.${100 + n}` }));
    const ingress = wish.networks.get('ingr');
    const wide: Wish = ingress ? { ...wish, networks: new Map([['ingr', { ...ingress, entries }]]) } : wish;
    const own = backend('10.0.0.6', { nodeId: 'here' });
    const keeping = published(['80:80', '53:53/udp', '54:54/udp'], [own], { keepClients: true });
    const frame = rules.frames(wide, [keeping]).find(({ place }) => place.kind === 'task');
    const nft = frame?.nft.join('\n') ?? '';
    const routes = frame?.routes.map(({ add }) => add.join(' ')).join('\n') ?? '';
    const script = `set -e
      ip link add eth0 type veth peer name other
      ip addr add 10.0.0.6/24 dev eth0
      ip link set eth0 up; ip link set other up
      echo '${nft}' | nft -f -
      echo '${routes}' | ip -batch -
      ip rule; ip route show table 167772309`;
    const shown = await run('unshare', ['--net', '--', 'sh', '-c', script]);
    expect(shown).toContain('from all fwmark 0xa000095 lookup 167772309');
    expect(shown).toContain('default via 10.0.0.149 dev eth0');
  });
});

import type {
  GenericResource as WireGeneric,
  NodeDescription as WireDescription,
} from '../../proto/generated/swarmkit/types_pb.js';
import type { GenericResource, NodeDescription } from '../model/index.ts';

/*
 * What an agent says of itself is stored, shown and sent to clients; so each part has a bound far above what an engine
 * says, and what is beyond it is cut off.
 */
const TEXT_MAX = 256;
const LABEL_MAX = 4096;
const LABELS_MAX = 512;
const PLUGINS_MAX = 512;
const GENERIC_MAX = 1024;
const PEM_MAX = 64 * 1024;
const DER_MAX = 4096;

/** What an agent says of its host and engine. Undefined when it says nothing. */
export function descriptionFromWire(wire: WireDescription | undefined): NodeDescription | undefined {
  if (!wire) return undefined;
  const { platform, resources, engine, tlsInfo } = wire;
  return {
    hostname: cut(wire.hostname),
    platform: { architecture: cut(platform?.architecture), os: cut(platform?.os) },
    resources: {
      nanoCpus: amount(resources?.nanoCpus),
      memoryBytes: amount(resources?.memoryBytes),
      generic: genericResources(resources?.generic ?? []),
    },
    engineVersion: cut(engine?.engineVersion),
    engineLabels: labels(engine?.labels ?? {}),
    plugins: plugins(engine?.plugins ?? []),
    tls: {
      trustRootPem: Buffer.from((tlsInfo?.trustRoot ?? new Uint8Array()).subarray(0, PEM_MAX)).toString(),
      issuerSubject: base64(tlsInfo?.certIssuerSubject),
      issuerPublicKey: base64(tlsInfo?.certIssuerPublicKey),
    },
    fips: wire.fips,
  };
}

function cut(text: string | undefined, max = TEXT_MAX): string {
  return (text ?? '').slice(0, max);
}

function base64(bytes: Uint8Array | undefined): string {
  return bytes && bytes.length <= DER_MAX ? Buffer.from(bytes).toString('base64') : '';
}

/** Never negative, and a number that can be reckoned with. */
function amount(value: bigint | undefined): number {
  const number = Number(value ?? 0n);
  return Math.min(Math.max(number, 0), Number.MAX_SAFE_INTEGER);
}

/** In order, so that the same labels make the same description. Any name may be a label's, `__proto__` too. */
function labels(wire: { readonly [key: string]: string }): Record<string, string> {
  const pairs = Object.entries(wire)
    .filter(([key]) => key.length <= TEXT_MAX)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(pairs.slice(0, LABELS_MAX).map(([key, value]) => [key, cut(value, LABEL_MAX)]));
}

/** Each once: engines name a plugin for every alias that it has. */
function plugins(wire: readonly { type: string; name: string }[]): { type: string; name: string }[] {
  const each = new Map<string, { type: string; name: string }>();
  for (const plugin of wire.slice(0, PLUGINS_MAX)) {
    const [type, name] = [cut(plugin.type), cut(plugin.name)];
    each.set(JSON.stringify([type, name]), { type, name });
  }
  return [...each.values()].sort((a, b) => order(a.type, b.type) || order(a.name, b.name));
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function genericResources(wire: readonly WireGeneric[]): GenericResource[] {
  const each = new Map<string, GenericResource>();
  for (const { resource } of wire.slice(0, GENERIC_MAX)) {
    if (resource.case === 'namedResourceSpec') {
      const [kind, value] = [cut(resource.value.kind), cut(resource.value.value)];
      each.set(JSON.stringify([kind, value]), { kind, value });
    } else if (resource.case === 'discreteResourceSpec') {
      const kind = cut(resource.value.kind);
      each.set(JSON.stringify([kind]), { kind, value: amount(resource.value.value) });
    }
  }
  return [...each.values()];
}

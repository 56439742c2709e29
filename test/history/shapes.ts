import type { Seen, Sight } from './check/types.ts';

/** What is read of a service, secret or task as the Engine API has it. */
export interface Raw {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly Spec: Spec;
  readonly Endpoint?: {
    readonly Ports?: readonly { readonly PublishedPort?: number; readonly Protocol: string }[];
    readonly VirtualIPs?: readonly { readonly NetworkID: string; readonly Addr?: string }[];
  };
  readonly ServiceID?: string;
  readonly DesiredState?: string;
  readonly Status?: { readonly State: string; readonly Err?: string; readonly Message?: string };
  readonly NetworksAttachments?: readonly {
    readonly Network: { readonly ID: string };
    readonly Addresses?: readonly string[];
  }[];
}

export interface Spec {
  readonly Name?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly TaskTemplate?: { readonly ContainerSpec: ContainerSpec };
  readonly ContainerSpec?: ContainerSpec;
  readonly Mode?: { readonly Replicated: { readonly Replicas: number } };
}

interface ContainerSpec {
  readonly Env?: readonly string[];
}

/** The label in which an object carries the mark of the write that made it what it is. */
export const MARK = 'mark';

/** States in which a task holds nothing any more. */
const OVER = new Set(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned']);

/** A list as the checker reads it: tasks that hold nothing any more are left out. */
export function readList(table: Sight['table'], raw: readonly Raw[]): Seen[] {
  return raw.filter(({ Status }) => !OVER.has(Status?.State ?? '')).map((one) => seenOf(table, one));
}

function seenOf(table: Sight['table'], raw: Raw): Seen {
  const { Endpoint, NetworksAttachments } = raw;
  const virtual = (Endpoint?.VirtualIPs ?? []).map(({ NetworkID, Addr }) => at(NetworkID, Addr));
  const attached = (NetworksAttachments ?? []).flatMap(({ Network, Addresses }) =>
    (Addresses ?? []).map((address) => at(Network.ID, address)),
  );
  return {
    id: raw.ID,
    name: raw.Spec.Name ?? '',
    version: raw.Version.Index,
    mark: table === 'task' ? '' : (raw.Spec.Labels?.[MARK] ?? ''),
    ports: (Endpoint?.Ports ?? [])
      .filter(({ PublishedPort }) => (PublishedPort ?? 0) > 0)
      .map(({ PublishedPort, Protocol }) => `${PublishedPort}/${Protocol}`),
    addresses: [...virtual, ...attached].filter((text) => text !== ''),
  };
}

function at(network: string, address: string | undefined): string {
  return address === undefined || address === '' ? '' : `${network} ${address.replace(/\/.*/, '')}`;
}

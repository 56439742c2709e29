import {
  asArray,
  asNumber,
  asObject,
  asString,
  asStringRecord,
  asStrings,
  type Json,
} from '../../base/json.ts';
import { containerStatus, type ContainerRun } from '../../docker-api/index.ts';
import type { ContainerFacts, PortUse, Protocol } from '../../scheduler/index.ts';
import type { EngineNode } from './engine-node.ts';

/** What placement and the status line need from a container's inspection. */
export interface ContainerDetails {
  /** Milliseconds since 1970, to less than a microsecond; the list has it in seconds. 0 when not known. */
  createdMs: number;
  run: Omit<ContainerRun, 'state'>;
  nanoCpus: number;
  memoryBytes: number;
  ports: readonly PortUse[];
  /** Of a container that is made again when its node is lost; see remains.ts. */
  remains?: string;
}

export const NO_DETAILS: ContainerDetails = {
  createdMs: 0,
  run: { startedAtMs: 0, finishedAtMs: 0, exitCode: 0, health: '' },
  nanoCpus: 0,
  memoryBytes: 0,
  ports: [],
};

/** A container of the pool: the engine's list entry, what its inspection adds, and its node. */
export class Container {
  readonly node: EngineNode;
  readonly id: string;
  /** Without slash. */
  readonly name: string;
  readonly summary: Json;
  readonly details: ContainerDetails;
  /** Milliseconds since 1970, by its engine's clock. */
  readonly created: number;
  readonly labels: Readonly<Record<string, string>>;
  #json: { host: string; head: string; text: string; untilMs: number; down: boolean } | undefined;

  constructor(node: EngineNode, summary: Json, details: ContainerDetails) {
    this.node = node;
    this.id = asString(summary['Id']);
    this.summary = summary;
    this.details = details;
    this.name = ownName(asStrings(summary['Names']));
    this.created = details.createdMs || asNumber(summary['Created']) * 1000;
    this.labels = asStringRecord(summary['Labels']);
  }

  /** Docker's word for its state; `created` while the engine's list has not told it. */
  get state(): string {
    return asString(this.summary['State']);
  }

  get image(): string {
    return asString(this.summary['Image']);
  }

  get imageId(): string {
    return asString(this.summary['ImageID']);
  }

  /** The names of the networks it is on. */
  get networkNames(): string[] {
    return Object.keys(asObject(asObject(this.summary['NetworkSettings'])['Networks']));
  }

  facts(): ContainerFacts {
    return {
      id: this.id,
      name: this.name,
      image: this.image,
      imageId: this.imageId,
      labels: this.labels,
      ports: this.details.ports,
      nanoCpus: this.details.nanoCpus,
      memoryBytes: this.details.memoryBytes,
    };
  }

  /** The entry of `GET /containers/json` at `nowMs`, ready to send; kept until its status text must change. */
  listEntry(nowMs: number): { text: string; untilMs: number } {
    const down = !this.node.healthy;
    const host = this.node.name;
    // A host can get another name; then the names of all its containers change.
    const kept = this.#json?.host === host ? this.#json : undefined;
    if (kept && nowMs < kept.untilMs && kept.down === down) return kept;
    const head = kept?.head ?? this.#listHead();
    const status = down ? undefined : this.#status(nowMs);
    const said = down ? 'Host Down' : (status?.text ?? asString(this.summary['Status']));
    const text = `${head}"Status":${JSON.stringify(said)}}`;
    this.#json = { host, head, text, untilMs: status?.untilMs ?? Infinity, down };
    return this.#json;
  }

  /** The list entry as an object, for answers that are put together from more than the index. */
  listObject(nowMs: number): Json {
    return JSON.parse(this.listEntry(nowMs).text) as Json;
  }

  #status(nowMs: number): { text: string; untilMs: number } | undefined {
    const { run } = this.details;
    const skew = this.node.clockSkewMs;
    const status = containerStatus({ ...run, state: this.state }, nowMs + skew);
    // Without an inspection there are no times to count from; the engine's own words stand in.
    if (!status || (run.startedAtMs === 0 && this.state !== 'created')) return undefined;
    return { text: status.text, untilMs: status.untilMs - skew };
  }

  #listHead(): string {
    const rest = { ...this.summary };
    delete rest['Status'];
    const prefix = `/${this.node.name}`;
    const names = asStrings(rest['Names']).map((name) => `${prefix}${name}`);
    const ports = asArray(rest['Ports']).map((port) => {
      const entry = asObject(port);
      return entry['IP'] === '0.0.0.0' && this.node.ip !== '' ? { ...entry, IP: this.node.ip } : entry;
    });
    return `${JSON.stringify({ ...rest, Names: names, Ports: ports }).slice(0, -1)},`;
  }
}

/** Whether its process is there, be it paused or between two starts. */
export function isRunning({ state }: Pick<Container, 'state'>): boolean {
  return state === 'running' || state === 'paused' || state === 'restarting';
}

/** A container's own name among those that links give it: the one without an inner slash. */
function ownName(names: readonly string[]): string {
  const own = names.find((name) => !name.includes('/', 1)) ?? names[0] ?? '';
  return own.startsWith('/') ? own.slice(1) : own;
}

/** Reads what is needed of `GET /containers/{id}/json`. `cores` is the engine's number of them. */
export function readDetails(inspected: unknown, cores: number): ContainerDetails {
  const whole = asObject(inspected);
  const state = asObject(whole['State']);
  const host = asObject(whole['HostConfig']);
  return {
    createdMs: preciseMs(whole['Created']),
    run: {
      startedAtMs: timeMs(state['StartedAt']),
      finishedAtMs: timeMs(state['FinishedAt']),
      exitCode: asNumber(state['ExitCode']),
      health: asString(asObject(state['Health'])['Status']),
    },
    nanoCpus: Math.max(sharesToNano(asNumber(host['CpuShares']), cores), asNumber(host['NanoCpus'])),
    memoryBytes: asNumber(host['Memory']),
    ports: publishedPorts(host, asObject(whole['Config'])),
  };
}

/** The cores behind CpuShares that `coresToShares` made, in billionths. */
export function sharesToNano(shares: number, cores: number): number {
  return Math.ceil((shares * cores) / 1024) * 1e9;
}

/** The engine's CpuShares for a reservation of whole cores: its part of the machine, 1024 being all of it. */
export function coresToShares(reserved: number, cores: number): number {
  return Math.max(2, Math.floor((reserved * 1024) / Math.max(1, cores)));
}

/** The host ports a container asks for by number; with the host's network, those it exposes. */
export function publishedPorts(hostConfig: Json, config: Json): PortUse[] {
  const uses: PortUse[] = [];
  if (hostConfig['NetworkMode'] === 'host') {
    for (const exposed of Object.keys(asObject(config['ExposedPorts']))) {
      const port = readPort(exposed);
      if (port) uses.push({ hostIp: '', ...port });
    }
    return uses;
  }
  for (const [inner, bindings] of Object.entries(asObject(hostConfig['PortBindings']))) {
    const protocol = readPort(inner)?.protocol ?? 'tcp';
    for (const binding of asArray(bindings)) {
      const { HostIp, HostPort } = asObject(binding);
      // A range leaves the choice to the engine.
      if (typeof HostPort !== 'string' || !/^\d+$/.test(HostPort)) continue;
      const port = Number(HostPort);
      if (port > 0) uses.push({ hostIp: asString(HostIp), port, protocol });
    }
  }
  return uses;
}

function readPort(text: string): { port: number; protocol: Protocol } | undefined {
  const match = /^(\d+)(?:\/(tcp|udp|sctp))?$/i.exec(text);
  if (!match) return undefined;
  return { port: Number(match[1]), protocol: (match[2]?.toLowerCase() ?? 'tcp') as Protocol };
}

/** Docker writes a time that has not come as year 1. */
function timeMs(value: unknown): number {
  const ms = Date.parse(asString(value));
  return Number.isFinite(ms) && ms > 0 ? ms : 0;
}

/** `timeMs` with the digits that a Date drops. */
function preciseMs(value: unknown): number {
  const ms = timeMs(value);
  return ms === 0 ? 0 : ms + Number(`0.${/\.\d{3}(\d+)/.exec(asString(value))?.[1] ?? '0'}`);
}

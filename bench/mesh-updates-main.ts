/**
 * The balancer of the host that it runs on, for the measurements: `mesh-updates-main.ts FILE`, where FILE is the JSON of a
 * Crew of one node. Each line on standard input is answered by one with its BalancerNumbers; its end ends all.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { HostBalancer } from '../src/balancer/host-balancer.ts';
import { SYSTEM_HOST } from '../src/balancer/system-host.ts';
import { MONOTONIC, SYSTEM_TIMES } from '../src/base/clock.ts';
import { createLog } from '../src/base/log.ts';
import { connectEndpoints } from '../src/endpoints/index.ts';
import type { EndpointsSource } from '../src/model/index.ts';
import type { Crew } from './agents-main.ts';

export interface BalancerNumbers {
  /** This process's own, without the programs that it has run. */
  readonly cpuMs: number;
  /** The part of it that went into starting programs, and how many those were. */
  readonly startingMs: number;
  readonly programs: number;
  /** From an update that it was told to the word that it is in force, since the last time it was asked. */
  readonly tookMs: readonly number[];
  readonly problems: readonly string[];
}

const { addr, rootPem, keyPem, nodes } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Crew;
const [{ nodeId, certPem } = { nodeId: '', certPem: '' }] = nodes;
const log = createLog('warn');
const remote = connectEndpoints({
  managers: () => [addr],
  credentials: () => ({ certPem, keyPem, rootPem }),
  clock: MONOTONIC,
  random: Math.random,
  log,
});
const toldMs = new Map<number, number>();
let tookMs: number[] = [];
let problems: readonly string[] = [];

/** The manager's word, with a look at the time. */
const source: EndpointsSource = {
  async *watch(signal) {
    for await (const update of remote.watch(signal)) {
      toldMs.set(update.version, performance.now());
      yield update;
    }
  },
  report(report) {
    const from = toldMs.get(report.version);
    if (from !== undefined) tookMs.push(performance.now() - from);
    toldMs.delete(report.version);
    ({ problems } = report);
    return remote.report(report);
  },
  answer: (...words) => remote.answer(...words),
};

let startingMs = 0;
let programs = 0;

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

/** This host, with a look at what programs cost. */
const host: typeof SYSTEM_HOST = {
  ...SYSTEM_HOST,
  commands: {
    run(command) {
      const from = cpuMs();
      const result = SYSTEM_HOST.commands.run(command);
      startingMs += cpuMs() - from;
      programs += 1;
      return result;
    },
  },
};

const end = new AbortController();
const engine = { sandboxes: () => Promise.resolve([]) };
const options = { nodeId, source, engine, mode: 'nftables', times: SYSTEM_TIMES, log } as const;
const running = new HostBalancer(options, host).run(end.signal);
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== '') continue;
  const numbers: BalancerNumbers = { cpuMs: cpuMs(), startingMs, programs, tookMs, problems };
  tookMs = [];
  process.stdout.write(`${JSON.stringify(numbers)}\n`);
}
end.abort();
await running;
process.exit(0);

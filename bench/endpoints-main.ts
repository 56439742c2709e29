/**
 * Plays the balancers of many nodes from a process of its own: `endpoints-main.ts FILE`, where FILE is the JSON of a Crew.
 * Each says of every update that it is in force; the end of standard input ends all.
 */
import { readFileSync } from 'node:fs';
import { MONOTONIC } from '../src/base/clock.ts';
import { createLog } from '../src/base/log.ts';
import { connectEndpoints } from '../src/endpoints/index.ts';
import type { Crew } from './agents-main.ts';

const { addr, rootPem, keyPem, nodes } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Crew;
const end = new AbortController();

async function balance(certPem: string): Promise<void> {
  const source = connectEndpoints({
    managers: () => [addr],
    credentials: () => ({ certPem, keyPem, rootPem }),
    clock: MONOTONIC,
    random: Math.random,
    log: createLog('error'),
    // Hundreds of them share a core.
    linkTimes: { connectMs: 10_000, firstUpdateMs: 60_000, pingMs: 60_000, pingAnswerMs: 60_000 },
  });
  for await (const { version } of source.watch(end.signal))
    await source.report({ version, mode: 'nftables', problems: [], takenPorts: [], keepsClients: [] });
}

process.stdin.resume();
process.stdin.once('end', () => end.abort());
await Promise.all(nodes.map(({ certPem }) => balance(certPem)));
process.exit(0);

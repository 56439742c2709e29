/**
 * Asks the tests' server again and again: `load-main.ts PLAN` with a LoadPlan as JSON. A line "show" on standard input is
 * answered by one with the numbers so far; "stop" ends the work, as soon as there was enough of it, and shows the last
 * numbers. The end of the input ends all at once.
 */
import { Resolver } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createInterface } from 'node:readline';
import type { LoadPlan, LoadResult } from './load.ts';

const plan = JSON.parse(process.argv[2] ?? '') as LoadPlan;
const KEPT_FAILURES = 20;
/** The engine's, in a container. */
const resolver = new Resolver({ timeout: plan.deadlineMs, tries: 1 });
resolver.setServers(['127.0.0.11']);
const failures: string[] = [];
const answered: Record<string, number> = {};
const clients = new Set<string>();
let done = 0;
let failed = 0;
let told = false;

const result = (): LoadResult => ({ done, failed, failures, answered, clients: [...clients] });
const show = (): void => void process.stdout.write(`${JSON.stringify(result())}\n`);

createInterface({ input: process.stdin })
  .on('line', (word) => (word === 'stop' ? (told = true) : show()))
  .on('close', () => process.exit(1));

const end = performance.now() + plan.atMostMs;
const enough = (): boolean => (told && done >= plan.atLeast) || performance.now() > end;
await Promise.all(Array.from({ length: plan.loops }, (_, number) => loop(number)));
show();
process.exit(0);

async function loop(number: number): Promise<void> {
  for (let turn = number; !enough(); turn++) {
    const target = plan.targets[turn % plan.targets.length] ?? '';
    const reason = await addressOf(target).then(ask, (error: unknown) => `name: ${String(error)}`);
    done += 1;
    if (reason !== undefined) {
      failed += 1;
      if (failures.length < KEPT_FAILURES) failures.push(`${new Date().toISOString()} ${target} ${reason}`);
    }
    await sleep(plan.pauseMs);
  }
}

async function addressOf(target: string): Promise<string> {
  const [host = '', port = ''] = target.split(':');
  if (isIP(host)) return target;
  const all = await resolver.resolve4(host);
  return `${all[Math.floor(Math.random() * all.length)] ?? ''}:${port}`;
}

/** One connection, one request, one answer: why it failed, or undefined. */
function ask(target: string): Promise<string | undefined> {
  const [host = '', port = ''] = target.split(':');
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) });
    let phase = 'connect';
    let said = '';
    const finish = (reason?: string): void => {
      clearTimeout(limit);
      socket.destroy();
      resolve(reason);
    };
    const limit = setTimeout(() => finish(`${phase}: no answer in ${plan.deadlineMs} ms`), plan.deadlineMs);
    socket.on('connect', () => {
      phase = 'answer';
      socket.write('GET / HTTP/1.0\r\n\r\n');
    });
    socket.on('data', (data) => (said += data.toString('latin1')));
    socket.on('error', (error: NodeJS.ErrnoException) => finish(`${phase}: ${error.code ?? error.message}`));
    socket.on('close', () => finish(judge(said)));
  });
}

function judge(said: string): string | undefined {
  const [head = '', body = ''] = said.split('\r\n\r\n');
  if (!head.startsWith('HTTP/1.0 200 ')) return `answer: ${JSON.stringify(said.slice(0, 60))}`;
  const [task = '', client = ''] = body.trim().split(' ');
  if (task === 'late') return `answered by ${client} after it was told to stop`;
  if (task === 'early') return `answered by ${client} before it was healthy`;
  answered[task] = (answered[task] ?? 0) + 1;
  clients.add(client);
  return undefined;
}

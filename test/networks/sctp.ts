import { execFileSync } from 'node:child_process';
import { test } from 'vitest';
import type { NetworkSwarm } from './network-swarm.ts';
import { nameIn } from './network-swarm.ts';
import { outside, runAt } from './places.ts';
import { eventually } from '../swarm-mode/services/service-swarm.ts';

const SOCKET = 'use Socket; socket my $socket, PF_INET, SOCK_STREAM, 132 or exit 1;';
const PORT = 8132;

/** Whether programs of this machine can open SCTP sockets; the kernel loads what it needs for them, if it can. */
function hasSctp(): boolean {
  try {
    execFileSync('perl', ['-e', SOCKET]);
    return true;
  } catch {
    return false;
  }
}

/** A port of the third protocol, where the kernel has it. */
export function sctpTests(get: () => NetworkSwarm): void {
  const title = 'SCTP through the mesh';
  if (!hasSctp()) {
    test.skip(`not run: ${title}: this kernel has no SCTP sockets`);
    return;
  }
  test(title, async () => {
    const swarm = get();
    await swarm.serve('stream', ['-p', `${PORT}:80/sctp`], 'responder', 'sctp:80');
    const [task] = await swarm.running('stream', 1);
    for (const { ip } of swarm.balancing)
      await eventually(`${ip} answers`, async () => {
        const to = `connect $socket, sockaddr_in(${PORT}, inet_aton("${ip}")) or exit 1;`;
        const ask = 'syswrite $socket, "hello\\n"; sysread $socket, my $line, 200; print $line';
        return nameIn(await runAt(outside, 'perl', '-e', `${SOCKET} ${to} ${ask}`)) === task?.ID || undefined;
      });
    await swarm.remove('stream');
  });
}

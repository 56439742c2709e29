// Runs the member of a folder until it is killed, and says the number of its etcd when that serves.
import { writeSync } from 'node:fs';
import { SYSTEM_TIMES } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { LocalMember, MemberFolder } from '../../src/ensemble/index.ts';
import { program } from './member-program.ts';

const member = new LocalMember({
  folder: new MemberFolder(process.argv[2] ?? ''),
  program: await program(),
  times: SYSTEM_TIMES,
  log: createLog('error'),
});
await member.start();
await member.serves({ signal: AbortSignal.timeout(60_000), limitMs: 30_000 });
writeSync(1, `${member.pid ?? 0}\n`);

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cgroupsOf, listRuns, runName, runsFolder } from './run-folder.ts';
import { procFile, processIds } from './shell.ts';

/**
 * What a test session (SKEP_TEST_SESSION) left on this machine, one line each: run folders, links, mounts, control
 * groups and processes. Nothing of other sessions is looked at. To be asked when the session's tests have ended.
 */
export function leftovers(session: string): string[] {
  const runs = listRuns().filter((run) => run.session === session);
  const links = execFileSync('ip', ['-br', 'link'], { encoding: 'utf8' });
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  const found = runs.flatMap(({ id }) => [
    `run folder ${runsFolder}/${id}`,
    ...(links.includes(`${runName(id)}@`) ? [`network link ${runName(id)}`] : []),
    ...(mounts.includes(`${runsFolder}/${id}/`) ? [`mount under ${runsFolder}/${id}`] : []),
    ...cgroupsOf(id).map((folder) => `control group ${folder}`),
  ]);
  for (const pid of processIds()) {
    if (pid === process.pid || pid === process.ppid) continue;
    if (procFile(pid, 'environ')?.split('\0').includes(`SKEP_TEST_SESSION=${session}`))
      found.push(`process ${pid}: ${procFile(pid, 'cmdline')?.replaceAll('\0', ' ').trim()}`);
  }
  return found;
}

// `npm run bench -- NAME …`: measurements on this machine, each printing its figure and what it is compared with.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { endIfMissing, prepare, root } from './prepare.mjs';
import { runtimePath } from './runtime.mjs';

/** What each measurement needs besides npm packages. */
const benches = {
  placement: { engines: false, what: 'placements a second on 100, 1,000 and 10,000 nodes' },
  list: { engines: false, what: 'ps over 1,000 to 30,000 containers on simulated engines' },
  discovery: { engines: true, what: '1,000 engines that join at once, and the memory of an agent' },
  agents: { engines: false, what: 'simulated agents on one manager: sessions, heartbeats, tasks' },
  endpoints: { engines: false, what: "one task's change told to the balancers of 10 to 200 nodes" },
  mesh: { engines: true, what: 'virtual IPs and the routing mesh, beside the plain overlay and proxies' },
  'mesh-updates': { engines: true, what: "from a task's change to the rules in force on three hosts" },
  'services-placement': { engines: false, what: 'tasks of services on 1,000 and 100,000 nodes' },
  services: { engines: true, what: "deploys and lost nodes, beside Docker's own swarm mode" },
  store: { engines: true, what: 'commits a second in memory, SQLite and etcd' },
  managers: { engines: true, what: "writes, and the leader's loss, beside three managers of Docker's" },
  failover: { engines: true, what: 'from the end of the primary to the next placement' },
  rescheduling: { engines: true, what: "from a node's loss of power to its container elsewhere" },
  'virtual-host': { engines: true, what: 'calls through the manager and directly at an engine' },
};

const asked = process.argv.slice(2).filter((arg) => !arg.startsWith('-'));
const passed = process.argv.slice(2).filter((arg) => arg.startsWith('-'));
const unknown = asked.filter((name) => !(name in benches));
if (unknown.length > 0 || passed.includes('--help')) {
  console.log('npm run bench [-- NAME …]');
  for (const [name, { what }] of Object.entries(benches)) console.log(`  ${name.padEnd(18)} ${what}`);
  process.exit(unknown.length > 0 ? 2 : 0);
}
const chosen = asked.length > 0 ? asked : Object.keys(benches);
endIfMissing(prepare({ hosts: chosen.some((name) => benches[name].engines), on: 'bench' }));
for (const name of chosen) {
  console.log(`\n== ${name}: ${benches[name].what}`);
  const { status } = spawnSync(runtimePath(), [join(root, 'bench', `${name}.ts`), ...passed], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}

/** Serves many fake engines from a process of its own and prints their addresses in one line. */
import { FakeEngine } from '../test/virtual-host/fake-engine.ts';

const [engines = 0, containers = 0] = process.argv.slice(2).map(Number);
const all = Array.from(
  { length: engines },
  (_, i) => new FakeEngine(i, { containers: Math.floor(containers / engines) }),
);
for (const engine of all) await engine.start();
console.log(all.map((engine) => engine.address).join(','));
process.once('SIGTERM', () => {
  void Promise.all(all.map((engine) => engine.stop()));
});

// `npm start`: the playground, on real Docker Engines. Makes the machine ready and hands over to examples/playground.ts.
import { spawn } from 'node:child_process';
import { endIfMissing, prepare, root } from './prepare.mjs';

if (process.platform !== 'linux' || process.getuid?.() !== 0) {
  console.error(`The playground starts three Docker Engines as hosts of their own, in network namespaces of this
machine: that needs Linux and root. Try: sudo npm start

Without root you can run
  npm run check                                 the quick tests
  bin/swarm manage -H tcp://127.0.0.1:3375 nodes://HOST:2375,HOST:2375
                                                the manager, over Docker Engines that you have`);
  process.exit(1);
}
endIfMissing(prepare({ hosts: true }));
const { runtimePath } = await import('./runtime.mjs');
const child = spawn(runtimePath(), ['examples/playground.ts'], { cwd: root, stdio: 'inherit' });
// Ctrl-C at a terminal, and its end, reach the playground by themselves; this process only waits for its end.
for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
});

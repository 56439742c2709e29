// `npm run image`: the container image swarm:latest, without a registry. Makes the machine ready and hands over to
// image/build.ts.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { endIfMissing, prepare, root } from './prepare.mjs';

endIfMissing(prepare({ hosts: false }));
const { runtimePath } = await import('./runtime.mjs');
const args = [join(root, 'image/build.ts'), ...process.argv.slice(2)];
const { status } = spawnSync(runtimePath(), args, { stdio: 'inherit' });
process.exitCode = status ?? 1;

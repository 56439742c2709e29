// `npm run build`: dist/, the plain JavaScript of a published package (Node strips no types under node_modules).
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { endIfMissing, prepare, root } from './prepare.mjs';

endIfMissing(prepare({ hosts: false }));
const { runtimePath } = await import('./runtime.mjs');
rmSync(join(root, 'dist'), { recursive: true, force: true });
const tsc = [join(root, 'node_modules/.bin/tsc'), '-p', 'tsconfig.build.json'];
const { status } = spawnSync(runtimePath(), tsc, { cwd: root, stdio: 'inherit' });
process.exitCode = status ?? 1;

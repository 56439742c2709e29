// `npm run build`: dist/, the plain JavaScript of a published package (Node strips no types under node_modules).
// `build.mjs FOLDER` puts it there.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { endIfMissing, prepare, root } from './prepare.mjs';

endIfMissing(prepare({ hosts: false }));
const { runtimePath } = await import('./runtime.mjs');
const out = resolve(root, process.argv[2] ?? 'dist');
rmSync(out, { recursive: true, force: true });
const tsc = [join(root, 'node_modules/.bin/tsc'), '-p', 'tsconfig.build.json', '--outDir', out];
const { status } = spawnSync(runtimePath(), tsc, { cwd: root, stdio: 'inherit' });
process.exitCode = status ?? 1;

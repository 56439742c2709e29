// `npm run proto`: proto/generated from proto/*.proto. Its output is committed, so only whoever changes a .proto runs it.
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { endIfMissing, prepare, root } from './prepare.mjs';

endIfMissing(prepare({ hosts: false }));
const source = join(root, 'proto');
const out = join(source, 'generated');
rmSync(out, { recursive: true, force: true });
mkdirSync(out);
const files = ['swarmkit', 'skep', 'etcd'].flatMap((folder) =>
  readdirSync(join(source, folder)).map((name) => `${folder}/${name}`),
);
const plugin = join(root, 'node_modules/.bin/protoc-gen-es');
const args = [
  '-I',
  source,
  `--plugin=${plugin}`,
  `--es_out=${out}`,
  '--es_opt=target=js+dts,import_extension=js',
];
const { status, error } = spawnSync('protoc', [...args, ...files], { cwd: root, stdio: 'inherit' });
if (error) console.error(`protoc: ${error.message} (apt-get install protobuf-compiler)`);
process.exitCode = status ?? 1;

import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { run } from './shell.ts';

const busybox = '/usr/bin/busybox';
/** Changes with every change of what the images hold. */
const edition = 1;

/** A server script that ends at once when it is told to, although it is the first process of its container. */
const serve = (line: string, command: string): string =>
  `#!/bin/sh\n${line}\n${command} &\ntrap "kill $!; exit 0" TERM INT QUIT\nwait $!\n`;

interface ImageSource {
  readonly tags: readonly string[];
  /** Files over the busybox tree: path to contents; all executable. */
  readonly files: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly port?: number;
}

/** Names that guides use, each with something behind it that behaves like it from outside. */
const sources: readonly ImageSource[] = [
  { tags: ['busybox:latest', 'alpine:latest'], files: {}, command: ['sh'] },
  {
    tags: ['nginx:latest'],
    files: {
      'usr/sbin/nginx': serve(
        'page=/usr/share/nginx/html/index.html; [ -s $page ] || echo "<h1>nginx stand-in on $(hostname)</h1>" > $page',
        'httpd -f -vv -p 80 -h /usr/share/nginx/html',
      ),
      'usr/share/nginx/html/50x.html': '<h1>50x</h1>\n',
    },
    command: ['nginx', '-g', 'daemon off;'],
    port: 80,
  },
  {
    tags: ['redis:latest'],
    files: {
      'usr/local/bin/redis-server': serve(
        'echo "* Ready to accept connections (stand-in)"',
        'nc -ll -p 6379 -e /usr/local/bin/redis-answer',
      ),
      'usr/local/bin/redis-answer':
        '#!/bin/sh\nwhile read -r line; do case "$line" in [Pp][Ii][Nn][Gg]*) printf "+PONG\\r\\n";; *) printf "%s\\r\\n" "-ERR stand-in";; esac; done\n',
      'usr/local/bin/redis-cli': '#!/bin/sh\nprintf "%s\\r\\n" "$*" | nc -w 1 127.0.0.1 6379 | tr -d "+"\n',
    },
    command: ['redis-server'],
    port: 6379,
  },
];

/**
 * One archive for `docker load` with busybox, a small web server (nginx) and a cache stand-in (redis). It is written
 * here, without an engine, from sorted trees with a fixed date: the image ids are the same on every engine.
 * Returns the archive's path.
 */
export async function imageArchive(): Promise<string> {
  if (!existsSync(busybox)) throw new Error(`${busybox} is missing: apt-get install busybox-static`);
  const hash = createHash('sha256').update(readFileSync(busybox)).update(JSON.stringify(sources));
  const key = hash
    .update(`${edition} ${serve('', '')}`)
    .digest('hex')
    .slice(0, 16);
  const folder = await cached(`images-${key}`, async (made) => {
    const out = join(made, 'archive');
    mkdirSync(out);
    const base = await layer(made, 'base', busyboxTree);
    const manifest: object[] = [];
    for (const source of sources) {
      const layers = [base];
      const name = source.tags[0]?.split(':')[0] ?? '';
      if (Object.keys(source.files).length > 0) {
        layers.push(await layer(made, name, (root) => filesTree(root, source.files)));
      }
      const config = JSON.stringify(imageConfig(source, layers));
      const id = createHash('sha256').update(config).digest('hex');
      writeFileSync(join(out, `${id}.json`), config);
      manifest.push({
        Config: `${id}.json`,
        RepoTags: source.tags,
        Layers: layers.map((one) => `${one}/layer.tar`),
      });
    }
    writeFileSync(join(out, 'manifest.json'), JSON.stringify(manifest));
    await run('tar', ['-C', out, '-cf', join(made, 'images.tar'), '.']);
    rmSync(out, { recursive: true });
  });
  return join(folder, 'images.tar');
}

/** Packs a tree as a layer of the archive; gives its diff id without the "sha256:". */
async function layer(made: string, name: string, fill: (root: string) => void): Promise<string> {
  const root = join(made, `${name}-tree`);
  mkdirSync(root);
  fill(root);
  const tar = join(made, `${name}.tar`);
  const fixed = [
    '--sort=name',
    '--mtime=@1600000000',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mode=go+rX',
  ];
  await run('tar', ['-C', root, ...fixed, '--format=gnu', '-cf', tar, '.']);
  const id = createHash('sha256').update(readFileSync(tar)).digest('hex');
  mkdirSync(join(made, 'archive', id), { recursive: true });
  renameSync(tar, join(made, 'archive', id, 'layer.tar'));
  rmSync(root, { recursive: true });
  return id;
}

function busyboxTree(root: string): void {
  for (const folder of ['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'usr/bin', 'usr/sbin', 'var/run'])
    mkdirSync(join(root, folder), { recursive: true });
  mkdirSync(join(root, 'tmp'));
  chmodSync(join(root, 'tmp'), 0o1777);
  copyFileSync(busybox, join(root, 'bin/busybox'));
  chmodSync(join(root, 'bin/busybox'), 0o755);
  for (const applet of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n'))
    if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
  );
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
}

function filesTree(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, contents] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), contents);
    chmodSync(join(root, path), 0o755);
  }
}

function imageConfig(source: ImageSource, layers: readonly string[]): object {
  const created = '2020-09-13T12:26:40Z';
  return {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    created,
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Cmd: source.command,
      ...(source.port === undefined ? {} : { ExposedPorts: { [`${source.port}/tcp`]: {} } }),
    },
    history: layers.map((_, at) => ({
      created,
      created_by: at === 0 ? 'busybox' : source.command.join(' '),
    })),
    rootfs: { type: 'layers', diff_ids: layers.map((id) => `sha256:${id}`) },
  };
}

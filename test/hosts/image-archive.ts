import { createHash } from 'node:crypto';
import {
  chmodSync,
  constants,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { run } from './shell.ts';

const busybox = '/usr/bin/busybox';
/** Changes with every change of how an image is made. */
const edition = 2;

/** An image of busybox, with files over it. */
export interface ImageSource {
  readonly tags: readonly string[];
  /** Path to contents; all executable. */
  readonly files: Readonly<Record<string, string>>;
  /** Files and folders of this machine that it has at the same place; programs with the libraries they need. */
  readonly fromHere?: readonly string[];
  readonly command: readonly string[];
  readonly port?: number;
}

/**
 * An archive of images for `docker load`. It is written here, without an engine, from sorted trees with a fixed date:
 * the image ids are the same on every engine. Returns the archive's path.
 */
export async function archiveOf(name: string, sources: readonly ImageSource[]): Promise<string> {
  if (!existsSync(busybox)) throw new Error(`${busybox} is missing: apt-get install busybox-static`);
  const hash = createHash('sha256').update(readFileSync(busybox)).update(JSON.stringify(sources));
  for (const path of sources.flatMap(({ fromHere = [] }) => fromHere)) hash.update(changeOf(path));
  const key = hash.update(`${edition}`).digest('hex').slice(0, 16);
  const folder = await cached(`${name}-${key}`, async (made) => {
    const out = join(made, 'archive');
    mkdirSync(out);
    const base = await layer(made, 'base', busyboxTree);
    const manifest: object[] = [];
    for (const source of sources) {
      const layers = [base];
      const title = source.tags[0]?.split(':')[0] ?? '';
      if (Object.keys(source.files).length > 0)
        layers.push(await layer(made, title, (root) => filesTree(root, source)));
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

function filesTree(root: string, { files, fromHere = [] }: ImageSource): void {
  for (const [path, contents] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), contents);
    chmodSync(join(root, path), 0o755);
  }
  for (const path of fromHere)
    for (const one of isProgram(path) ? [path, ...librariesOf(path)] : [path]) {
      mkdirSync(join(root, one, '..'), { recursive: true });
      cpSync(realpathSync(one), join(root, one), { recursive: true, dereference: true });
    }
}

function isProgram(path: string): boolean {
  const { mode } = statSync(path);
  return (mode & constants.S_IFMT) === constants.S_IFREG && (mode & constants.S_IXUSR) !== 0;
}

/** The shared libraries of a program, and what loads them. */
function librariesOf(program: string): string[] {
  const said = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [...said.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].flatMap(([, path]) => path ?? []);
}

/** Changes when that of this machine does. */
function changeOf(path: string): string {
  const { mtimeMs, size } = statSync(path);
  return `${path} ${size} ${mtimeMs}`;
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

// Builds the container image of the swarm command. What is behind `npm run image`; see docs/design/image.md.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { COMMIT, VERSION } from '../src/base/version.ts';
import { unpackedPackages } from '../test/hosts/debian.ts';
import { writeImage, type WrittenImage } from './archive.ts';
import { commandLayer, systemLayer } from './layers.ts';
import { containerConfig, MAX_BYTES, PACKAGES, PLATFORMS, SUITE } from './recipe.ts';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const usage = `npm run image [-- OPTIONS]

  --output FILE   where the archive for docker load goes (dist/image/swarm.tar)
  --no-load       do not load it into the docker engine that the docker command reaches`;

const { values } = parseArgs({
  options: {
    output: { type: 'string', default: join(root, 'dist/image/swarm.tar') },
    load: { type: 'boolean', default: true },
    help: { type: 'boolean', default: false },
  },
  allowNegative: true,
});
if (values.help) {
  console.log(usage);
} else {
  const output = resolve(values.output);
  mkdirSync(dirname(output), { recursive: true });
  try {
    const written = await build(output);
    const [unpacked, archive] = [written.unpackedBytes, statSync(output).size].map(megabytes);
    console.log(`image: swarm:latest ${written.id.slice(7, 19)} for ${process.arch}`);
    console.log(`image: ${unpacked} MB unpacked (at most ${megabytes(MAX_BYTES)}), archive ${archive} MB`);
    console.log(`image: ${relative(process.cwd(), output)}`);
    if (written.unpackedBytes > MAX_BYTES) throw new Error(`${unpacked} MB is more than it may have`);
    if (values.load) load(output);
  } catch (error) {
    console.error(`image: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}

/** Writes the archive for the kind of machine that this is. */
async function build(output: string): Promise<WrittenImage> {
  const platform = PLATFORMS[process.arch];
  if (platform === undefined) throw new Error(`images are made for x64 and arm64, not for ${process.arch}`);
  const debian = await unpackedPackages(SUITE, PACKAGES);
  const runtime = join(root, 'node_modules', `node-linux-${process.arch}`);
  const staging = mkdtempSync(join(tmpdir(), 'skep-image-'));
  try {
    const dist = join(staging, 'dist');
    const compiled = spawnSync(process.execPath, [join(root, 'scripts/build.mjs'), dist], {
      stdio: ['ignore', 2, 2], // what the compiler complains of is for people
    });
    if (compiled.status !== 0) throw new Error('the build failed');
    const seconds = dateOf();
    const facts = { commit: COMMIT, time: new Date(seconds * 1000).toISOString() };
    const libraries = readFileSync(join(debian, 'versions'), 'utf8').trim().split('\n').join(', ');
    return writeImage(output, {
      tags: ['swarm:latest', `swarm:${VERSION}`],
      architecture: platform.architecture,
      config: containerConfig(VERSION),
      seconds,
      layers: [
        {
          what: `node ${process.version}, ${libraries}`,
          entries: systemLayer(debian, runtime, platform),
        },
        { what: `swarm ${VERSION} (${COMMIT})`, entries: commandLayer(root, dist, facts) },
      ],
    });
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** The date of the image, in seconds: the one asked for, else the commit's. */
function dateOf(): number {
  const asked = process.env['SOURCE_DATE_EPOCH'];
  const { stdout } = spawnSync('git', ['-C', root, 'log', '-1', '--format=%ct'], { encoding: 'utf8' });
  const seconds = Number(asked ?? stdout?.trim());
  return Number.isSafeInteger(seconds) && seconds > 0 ? seconds : 1_600_000_000;
}

/** Loads it where the docker command reaches an engine, by DOCKER_HOST, its context or the default socket. */
function load(archive: string): void {
  const by = `docker load -i ${relative(process.cwd(), archive)}`;
  const ask = spawnSync('docker', ['version', '--format', '{{.Server.Os}}/{{.Server.Arch}}'], {
    encoding: 'utf8',
    timeout: 10_000,
  });
  if (ask.status !== 0) {
    console.log(`image: not loaded, no docker engine answers here; elsewhere: ${by}`);
    return;
  }
  const { status } = spawnSync('docker', ['load', '-i', archive], { stdio: 'inherit', timeout: 300_000 });
  if (status !== 0) throw new Error(`${by} failed`);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

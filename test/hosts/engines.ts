import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { unpackedPackages, type Suite } from './debian.ts';
import { run } from './shell.ts';

export type EngineVersion = '20.10' | '26.1' | '28.5';

export interface EngineBinaries {
  /** What `dockerd --version` says, such as "28.5.2+dfsg4". */
  readonly version: string;
  /** Folders to put first in PATH; none for the machine's own engine. */
  readonly binFolders: readonly string[];
}

/** Where each engine comes from. Its runc and tini are always the machine's own. */
const engineSources: Readonly<Record<EngineVersion, { suite: Suite; packages: readonly string[] }>> = {
  '20.10': { suite: 'bookworm', packages: ['docker.io', 'containerd'] },
  '26.1': { suite: 'trixie', packages: ['docker.io', 'docker-cli', 'containerd'] },
  '28.5': { suite: 'sid', packages: ['docker.io', 'docker-cli', 'containerd'] },
};

/**
 * An engine of that version: the machine's own where it is of that version, else one unpacked into the cache.
 * Rejects where the suite has moved on to another version.
 */
export async function ensureEngine(wanted: EngineVersion): Promise<EngineBinaries> {
  const own = await versionOf('/usr/sbin/dockerd');
  if (own?.startsWith(`${wanted}.`)) return { version: own, binFolders: [] };
  const source = engineSources[wanted];
  const root = await unpackedPackages(source.suite, source.packages);
  const version = await versionOf(join(root, 'usr/sbin/dockerd'));
  if (!version?.startsWith(`${wanted}.`))
    throw new Error(
      `Debian ${source.suite} has Docker Engine ${version ?? 'none that runs here'}, not ${wanted}`,
    );
  return { version, binFolders: [join(root, 'usr/sbin'), join(root, 'usr/bin')] };
}

export interface DockerCli {
  readonly version: string;
  readonly path: string;
}

/** The docker CLIs to test with, oldest first: Debian's, the first of PATH where it is another, and a current one. */
export async function dockerClis(): Promise<DockerCli[]> {
  const current = join(await unpackedPackages('sid', engineSources['28.5'].packages), 'usr/bin/docker');
  const first = await run('sh', ['-c', 'command -v docker || true']);
  const clis = new Map<string, DockerCli>();
  for (const path of ['/usr/bin/docker', first, current]) {
    const version = path === '' ? undefined : await versionOf(path);
    if (version !== undefined && !clis.has(version)) clis.set(version, { version, path });
  }
  return [...clis.values()].sort((a, b) => a.version.localeCompare(b.version, 'en', { numeric: true }));
}

/** Buildx as a plugin: gives its path and a folder for DOCKER_CONFIG in which every current docker CLI finds it. */
export function ensureBuildx(): Promise<CliPlugin> {
  return plugin('docker-buildx');
}

/** Compose 2 as a plugin (`docker compose`); its path can be run by itself too. */
export function ensureComposeV2(): Promise<CliPlugin> {
  return plugin('docker-compose');
}

export interface CliPlugin {
  readonly path: string;
  /** For DOCKER_CONFIG; it has both plugins. */
  readonly dockerConfig: string;
}

async function plugin(name: 'docker-buildx' | 'docker-compose'): Promise<CliPlugin> {
  const root = await unpackedPackages('sid', ['docker-buildx', 'docker-compose']);
  const folder = join(root, 'usr/libexec/docker/cli-plugins');
  const dockerConfig = await cached(`docker-config-${process.arch}`, async (made) => {
    mkdirSync(join(made, 'cli-plugins'));
    for (const one of ['docker-buildx', 'docker-compose'])
      symlinkSync(join(folder, one), join(made, 'cli-plugins', one));
  });
  return { path: join(folder, name), dockerConfig };
}

async function versionOf(path: string): Promise<string | undefined> {
  if (!existsSync(path)) return undefined;
  try {
    return /version ([^\s,]+)/.exec(await run(path, ['--version']))?.[1];
  } catch {
    return undefined; // there, but not for this machine (a newer C library, say)
  }
}

/** What the image says about itself and what goes into it. */

/** Nobody: who the processes become when they have opened what only root may. */
export const USER = 65534;

/** More than this, unpacked, and the build fails: nearly all of it is the runtime. */
export const MAX_BYTES = 130_000_000;

/** The Debian release whose libraries the runtime is linked with, and the packages that hold them. */
export const SUITE = 'trixie';
export const PACKAGES = ['libc6', 'libgcc-s1', 'libstdc++6'] as const;

/** The libraries the runtime asks for; all else in those packages stays out. */
export const LIBRARIES = [
  'libc.so.6',
  'libdl.so.2',
  'libgcc_s.so.1',
  'libm.so.6',
  'libpthread.so.0',
  'libstdc++.so.6',
] as const;

export interface Platform {
  /** As images name it. */
  readonly architecture: string;
  /** Debian's folder of libraries. */
  readonly triplet: string;
  /** Where programs of this machine look for what loads them. */
  readonly loader: string;
}

/** By Node's name of the machine. */
export const PLATFORMS: Readonly<Record<string, Platform>> = {
  x64: { architecture: 'amd64', triplet: 'x86_64-linux-gnu', loader: 'lib64/ld-linux-x86-64.so.2' },
  arm64: { architecture: 'arm64', triplet: 'aarch64-linux-gnu', loader: 'lib/ld-linux-aarch64.so.1' },
};

/** Files that a process looks for and no package brings. */
export const ETC: Readonly<Record<string, string>> = {
  'etc/passwd': `root:x:0:0:root:/:/sbin/nologin\nnobody:x:${USER}:${USER}:nobody:/:/sbin/nologin\n`,
  'etc/group': `root:x:0:\nnogroup:x:${USER}:\n`,
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
};

const SECOND_NS = 1_000_000_000;

/** The `config` of the image; port, volume, entry point and SWARM_HOST are those of the original `swarm`. */
export function containerConfig(version: string): object {
  return {
    Env: [
      'PATH=/bin',
      'SWARM_HOST=:2375',
      `SWARM_USER=${USER}`,
      'SWARM_STATE_DIR=/.swarm/discovery',
      // In memory, a container's own, and writable where the disk is not.
      'SWARM_HEALTH_FILE=/dev/shm/swarm.health',
    ],
    ExposedPorts: { '2375/tcp': {} },
    Volumes: { '/.swarm': {} },
    Entrypoint: ['/swarm'],
    Cmd: ['--help'],
    WorkingDir: '/',
    Healthcheck: {
      Test: ['CMD', '/swarm', 'health'],
      Interval: 10 * SECOND_NS,
      Timeout: 10 * SECOND_NS,
      Retries: 2,
    },
    Labels: {
      'org.opencontainers.image.title': 'swarm',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': 'Apache-2.0',
    },
  };
}

import { arch, release } from 'node:os';
import { SwarmError } from '../../base/errors.ts';
import { BUILD_TIME } from '../../base/version.ts';
import { MIN_API_MINOR, parseApiVersion, versionText, type ApiCall } from '../../docker-api/index.ts';
import type { Context, Handler } from '../context.ts';
import { pass } from '../pass.ts';

/** `GET` and `HEAD /_ping` */
export const ping: Handler = (call, { pool }) => {
  const newest = Math.max(0, ...pool.healthy().map((node) => node.info?.apiMinor ?? 0));
  // Engines build with BuildKit by default from 23.0 (API 1.42) on.
  call.res.setHeader('Builder-Version', newest >= 42 ? '2' : '1');
  call.res.setHeader('Cache-Control', 'no-cache, no-store, must-revalidate');
  call.res.setHeader('Pragma', 'no-cache');
  call.res.setHeader('Swarm', 'inactive');
  call.body(200, 'text/plain; charset=utf-8', 'OK');
};

/** Docker writes architectures in Go's words. */
export function goArch(): string {
  return arch() === 'x64' ? 'amd64' : arch();
}

/** `GET /version` */
export const version: Handler = (call, { pool, config }) => {
  const about = {
    ApiVersion: versionText(pool.minor),
    MinAPIVersion: versionText(MIN_API_MINOR),
    GitCommit: config.commit,
    // Docker's clients print this field as the language the server runs on.
    GoVersion: `node${process.versions.node}`,
    Os: 'linux',
    Arch: goArch(),
    KernelVersion: release(),
    BuildTime: BUILD_TIME,
  };
  const shown = `swarm/${config.version}`;
  call.json(200, {
    Platform: { Name: 'Skep' },
    Components: [{ Name: 'Engine', Version: shown, Details: { ...about, Experimental: 'false' } }],
    Version: shown,
    ...about,
    Experimental: false,
  });
};

/** What any engine can do as well as another. */
export const passToAny: Handler = async (call, { pool }) => {
  await pass(call, pool.anyHealthy(), call.path.split('/').map(encodeURIComponent).join('/'));
};

/** What a cluster can't do. */
export const notSupported: Handler = (call) => {
  call.refuse(501, 'Not supported in clustering mode.');
};

/** `GET /plugins/{name}/json`: `docker inspect NAME` asks for a plugin last, and must be told that there is none. */
export const noPlugin: Handler = (call) => {
  throw new SwarmError('not-found', `plugin "${call.param('name')}" not found`);
};

/** The BuildKit connections of a build. */
export const passToBuilder: Handler = async (call, { builds }) => {
  await pass(call, builds.builder(), call.path);
};

/** Says why a call in the version `asked` is not served, in Docker's words; undefined when it is. */
export function versionRefusal(asked: string, { pool }: Context): SwarmError | undefined {
  const major = Number.parseInt(asked);
  const minor = parseApiVersion(asked) ?? (major < 1 ? 0 : Infinity);
  if (minor > pool.minor) {
    return new SwarmError(
      'invalid',
      `client version ${asked} is too new. Maximum supported API version is ${versionText(pool.minor)}`,
    );
  }
  if (minor < MIN_API_MINOR) {
    return new SwarmError(
      'invalid',
      `client version ${asked} is too old. Minimum supported API version is ` +
        `${versionText(MIN_API_MINOR)}, please upgrade your client to a newer version`,
    );
  }
  return undefined;
}

/** The headers of every answer. */
export function commonHeaders(call: Pick<ApiCall, 'res'>, { pool, config }: Context): void {
  const { res } = call;
  res.setHeader('Api-Version', versionText(pool.minor));
  res.setHeader('Docker-Experimental', 'false');
  res.setHeader('Ostype', 'linux');
  res.setHeader('Server', `Skep/${config.version} (linux)`);
  if (config.cors) {
    res.setHeader('Access-Control-Allow-Origin', '*');
    res.setHeader(
      'Access-Control-Allow-Headers',
      'Origin, X-Requested-With, Content-Type, Accept, X-Registry-Auth',
    );
    res.setHeader('Access-Control-Allow-Methods', 'HEAD, GET, POST, DELETE, PUT, OPTIONS');
  }
}

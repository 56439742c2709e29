import { posix } from 'node:path';
import { unescape } from 'node:querystring';
import { parseApiVersion, type ApiMinor } from '../docker-api/index.ts';

/** A request's target, taken apart. */
export interface Target {
  /** As the client wrote it, without the name of a host: what the engine gets. */
  readonly whole: string;
  /** Decoded, without the version, `//` and `..`. */
  readonly path: string;
  /** With its question mark, or empty. */
  readonly search: string;
  /** The version as written (`1.41`); undefined without one. */
  readonly version: string | undefined;
  /** Undefined for none, or one that is no version of Docker's. */
  readonly minor: ApiMinor | undefined;
}

/** The same target for another manager, to which `self` would be its own node: it is named by its id. */
export function withoutSelf({ whole, version, path, search }: Target, nodeId: string): string {
  const query = new URLSearchParams(search);
  const isNode = /^\/nodes\/self(?=\/|$)/.test(path);
  const isDoctor = path === '/swarm/network-doctor' && query.get('node') === 'self';
  if (!isNode && !isDoctor) return whole;
  if (isDoctor) query.set('node', nodeId);
  const named = isNode ? path.replace('/self', `/${nodeId}`) : path;
  const prefix = version === undefined ? '' : `/v${version}`;
  const text = query.toString();
  return `${prefix}${encodeURI(named)}${text === '' ? '' : `?${text}`}`;
}

/** As the engine's router has it: any digits and dots are a version there. */
const VERSION = /^\/v([\d.]+)(?=\/)/;

/**
 * Takes a request target apart, as the engine would: decoded first, so that no way of writing a path of the swarm is
 * none here and one there. What can't be decoded stays as it is: it fits no route, and the engine tells the client.
 */
export function readTarget(url: string): Target {
  // A client that takes the daemon for a proxy names the host as well.
  const whole = url.replace(/^https?:\/\/[^/?]*/i, '') || '/';
  const mark = whole.indexOf('?');
  const search = mark < 0 ? '' : whole.slice(mark);
  const path = posix.normalize(unescape(mark < 0 ? whole : whole.slice(0, mark)));
  const version = VERSION.exec(path)?.[1];
  const plain = version === undefined ? path : path.slice(version.length + 2);
  return { whole, path: plain, search, version, minor: parseApiVersion(version) };
}

import { existsSync, lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { messageOf, SwarmError } from '../base/errors.ts';
import { fileReason } from '../base/file-reason.ts';
import { asArray, asNumber, asObject, asString, isObject } from '../base/json.ts';
import type { Logger } from '../base/log.ts';
import type { ListenAddress } from '../base/listen-address.ts';

/** What a running command says of itself to `swarm health`. */
export type HealthReport =
  | { kind: 'agent'; addr: string; untilMs: number; trouble: string }
  | { kind: 'listener'; listen: readonly ListenAddress[] };

const DEFAULT_FILE = '/tmp/swarm-agent.health';
/** A container has one of these; elsewhere commands stand side by side, and one file can't be about all of them. */
const SIGNS_OF_CONTAINER = ['/.dockerenv', '/run/.containerenv'];
const MAX_BYTES = 64 * 1024;

/** Where a command reports: SWARM_HEALTH_FILE, else a fixed place in a container; undefined where it does not. */
export function healthFile(env: NodeJS.ProcessEnv): string | undefined {
  const named = env['SWARM_HEALTH_FILE'];
  if (named !== undefined) return named === '' ? undefined : named;
  return SIGNS_OF_CONTAINER.some((path) => existsSync(path)) ? DEFAULT_FILE : undefined;
}

/** Writes a report in one step. False, and a warning in the log where one is given, when it can't be written. */
export function report(file: string | undefined, what: HealthReport, log: Logger | undefined): boolean {
  if (file === undefined) return true;
  const fresh = `${file}.${process.pid}`;
  try {
    rmSync(fresh, { force: true });
    // Made anew and moved: a link that somebody left in a folder of everybody's leads nowhere. The health check may
    // run as another user.
    writeFileSync(fresh, JSON.stringify(what), { flag: 'wx', mode: 0o644 });
    renameSync(fresh, file);
    return true;
  } catch (error) {
    log?.warn({ path: file, err: fileReason(error) }, 'Cannot write the file for swarm health');
    return false;
  }
}

/** Says where this process listens. */
export function reportListening(
  file: string | undefined,
  listen: readonly ListenAddress[],
  log: Logger,
): void {
  report(file, { kind: 'listener', listen }, log);
}

/** Takes the report away: whoever stopped is not well. */
export function unreport(file: string | undefined): void {
  if (file === undefined) return;
  try {
    rmSync(file, { force: true });
  } catch {
    // It says until when it holds.
  }
}

/** Reads a report. Throws `unavailable` in words where there is none. */
export function readReport(env: NodeJS.ProcessEnv): HealthReport {
  const file = env['SWARM_HEALTH_FILE'] || DEFAULT_FILE;
  try {
    const stat = lstatSync(file);
    if (!stat.isFile() || stat.size > MAX_BYTES) throw new Error('not a report');
    return parsed(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw new SwarmError('unavailable', `nothing reports here: '${file}': ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function parsed(value: unknown): HealthReport {
  const { kind, addr, untilMs, trouble, listen } = asObject(value);
  if (kind === 'agent')
    return { kind, addr: asString(addr), untilMs: asNumber(untilMs), trouble: asString(trouble) };
  if (kind === 'listener') return { kind, listen: asArray(listen).filter(isObject).map(address) };
  throw new Error('not a report');
}

function address(one: Record<string, unknown>): ListenAddress {
  if (one['kind'] === 'unix') return { kind: 'unix', path: asString(one['path']) };
  return { kind: 'tcp', host: asString(one['host']), port: asNumber(one['port']) };
}

function reasonOf(error: unknown): string {
  return error instanceof SyntaxError ? 'not a report' : fileReason(error) || messageOf(error);
}

import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SwarmError } from '../base/errors.ts';
import { fileReason } from '../base/file-reason.ts';
import { asNumber, asObject, asString, asStrings } from '../base/json.ts';
import { Certificates } from './authority.ts';
import type { MemberPlace } from './places.ts';

/** What a member is, from its start to its end. */
export interface MemberConfig extends MemberPlace {
  /** In etcd: the node's id. */
  readonly name: string;
  /** No two etcds have the same: members of one never speak to those of another. */
  readonly token: string;
  /** `name=url,…` of those that it starts with; looked at when it starts for the first time. */
  readonly initialCluster: string;
  /** It makes a cluster, or comes into one that is there. */
  readonly comesInto: 'new' | 'existing';
  /** It goes on alone at its next start: the others are lost. */
  readonly alone?: boolean;
  /** No manager runs beside it. */
  readonly witness?: boolean;
  /** `host:port` where managers reach the others, as they were known last. */
  readonly others?: readonly string[];
}

const CONFIG = 'member.json';

/**
 * The folder of the member that this host runs, 0700:
 *
 *     member.json    what it is
 *     data/          etcd's own
 *     tls/           the CA, certificates and keys
 *     etcd.pid       the process
 */
export class MemberFolder {
  readonly path: string;
  readonly certificates: Certificates;

  /** `tlsPath`: where certificates and keys are to be instead. */
  constructor(path: string, tlsPath: string = join(path, 'tls')) {
    this.path = path;
    this.certificates = new Certificates(tlsPath);
  }

  get data(): string {
    return join(this.path, 'data');
  }

  /** Whether etcd has made its own there: from then on it knows by itself who the others are. */
  get hasRun(): boolean {
    return existsSync(join(this.data, 'member', 'wal'));
  }

  get pidFile(): string {
    return join(this.path, 'etcd.pid');
  }

  /** Whether this host has a member. */
  get hasMember(): boolean {
    return existsSync(join(this.path, CONFIG));
  }

  /** Undefined where this host has none. Throws `unavailable` for what can't be read. */
  read(): MemberConfig | undefined {
    const path = join(this.path, CONFIG);
    if (!this.hasMember) return undefined;
    try {
      return configOf(JSON.parse(readFileSync(path, 'utf8')));
    } catch (error) {
      throw new SwarmError('unavailable', `${path} can't be read: ${fileReason(error)}`, { cause: error });
    }
  }

  /** Makes it this host's member, also in the place of what was said before. Throws `unavailable`. */
  write(config: MemberConfig): void {
    const path = join(this.path, CONFIG);
    try {
      this.make();
      writeFileSync(`${path}.new`, `${JSON.stringify(config)}\n`, { mode: 0o600, flush: true });
      renameSync(`${path}.new`, path);
    } catch (error) {
      throw new SwarmError('unavailable', `${path} can't be written: ${fileReason(error)}`, { cause: error });
    }
  }

  make(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    chmodSync(this.path, 0o700);
  }

  /** Removes the member with all it has; nothing must run in it. */
  wipe(): void {
    // First what says that there is one: what is left by a kill is nobody's.
    rmSync(join(this.path, CONFIG), { force: true });
    rmSync(this.path, { recursive: true, force: true });
  }
}

function configOf(value: unknown): MemberConfig {
  const { name, token, initialCluster, comesInto, alone, witness, others, host, listen, ports } =
    asObject(value);
  const { client, peer } = asObject(ports);
  const config: MemberConfig = {
    name: asString(name),
    token: asString(token),
    initialCluster: asString(initialCluster),
    comesInto: comesInto === 'new' ? 'new' : 'existing',
    host: asString(host),
    listen: asString(listen),
    ports: { client: asNumber(client), peer: asNumber(peer) },
    ...(alone === true ? { alone } : {}),
    ...(witness === true ? { witness } : {}),
    ...(Array.isArray(others) ? { others: asStrings(others) } : {}),
  };
  if (config.name === '' || config.host === '' || config.ports.client === 0)
    throw new Error('it is no member of an etcd');
  return config;
}

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { SwarmError } from '../base/errors.ts';
import { fileReason } from '../base/file-reason.ts';
import { asNumber, asObject, asString } from '../base/json.ts';
import type { SwarmAddresses } from './swarm-addresses.ts';

/** What of a manager is its host's alone. */
export interface LocalConfig extends SwarmAddresses {
  /** The node that this host is. */
  readonly nodeId: string;
  /** What keeps the swarm's state, as `--store` said. */
  readonly store?: StoreKind;
}

export type StoreKind = 'sqlite' | 'memory' | 'etcd';
const STORE_KINDS: readonly StoreKind[] = ['sqlite', 'memory', 'etcd'];

const LOCAL = 'manager.json';
const DATABASE = 'state.db';
const DRAFT = 'backup.draft';
const RESTORED = 'restored';

/** The folder of `--state-dir`: 0700, its files 0600. */
export class StateFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Whether SQLite keeps a state here. */
  get hasDatabase(): boolean {
    return existsSync(join(this.path, DATABASE));
  }

  /** Where a running daemon hears from `swarmd backup`. */
  get adminSocket(): string {
    return join(this.path, 'admin.sock');
  }

  /** Where a backup lies until its reader has it. */
  get backupDraft(): string {
    return join(this.path, DRAFT);
  }

  /** What a worker's balancer was told last. */
  get balancerMemory(): string {
    return join(this.path, 'balancer.json');
  }

  /** Throws `unavailable` where it can't be made. */
  make(): void {
    try {
      mkdirSync(this.path, { recursive: true, mode: 0o700 });
      chmodSync(this.path, 0o700);
    } catch (error) {
      throw new SwarmError('unavailable', `--state-dir ${this.path}: ${fileReason(error)}`, { cause: error });
    }
  }

  readLocal(): LocalConfig | undefined {
    let text: string;
    try {
      text = readFileSync(join(this.path, LOCAL), 'utf8');
    } catch {
      return undefined;
    }
    try {
      return parsed(JSON.parse(text));
    } catch (cause) {
      throw new SwarmError('unavailable', `${join(this.path, LOCAL)} can't be read: it is no JSON`, {
        cause,
      });
    }
  }

  /** Throws `unavailable`; where it says so already there is nothing to write. */
  writeLocal(local: LocalConfig): void {
    const path = join(this.path, LOCAL);
    const text = `${JSON.stringify(local)}\n`;
    try {
      if (existsSync(path) && readFileSync(path, 'utf8') === text) return;
      writeFileSync(`${path}.new`, text, { mode: 0o600, flush: true });
      renameSync(`${path}.new`, path);
    } catch (error) {
      throw new SwarmError('unavailable', `${path} can't be written: ${fileReason(error)}`, { cause: error });
    }
  }

  /** Whether the state here was restored, and no manager has begun with it yet. */
  get isRestored(): boolean {
    return existsSync(join(this.path, RESTORED));
  }

  markRestored(isRestored: boolean): void {
    const path = join(this.path, RESTORED);
    if (isRestored) writeFileSync(path, '', { mode: 0o600, flush: true });
    else rmSync(path, { force: true });
  }

  /** Removes what a backup left behind that was cut off by a kill: it holds the keys of the swarm. */
  dropDrafts(): void {
    for (const name of readdirSync(this.path))
      if (name.startsWith(DRAFT)) rmSync(join(this.path, name), { force: true });
  }

  /** Forgets the swarm. */
  wipe(): void {
    this.dropDrafts();
    for (const name of readdirSync(this.path))
      if (name.startsWith(`${DATABASE}.layout-`)) rmSync(join(this.path, name), { force: true });
    for (const name of [
      LOCAL,
      RESTORED,
      DATABASE,
      `${DATABASE}-wal`,
      `${DATABASE}-shm`,
      `${DATABASE}-journal`,
    ])
      rmSync(join(this.path, name), { force: true });
  }
}

function parsed(value: unknown): LocalConfig {
  const { nodeId, listen, advertise, dataPath, source, store } = asObject(value);
  const place = (one: unknown): { host: string; port: number } => {
    const { host, port } = asObject(one);
    return { host: asString(host), port: asNumber(port) };
  };
  const kind = STORE_KINDS.find((one) => one === store);
  const { device, isNamed } = asObject(source);
  return {
    ...(typeof device === 'string' ? { source: { device, isNamed: isNamed === true } } : {}),
    ...(kind ? { store: kind } : {}),
    nodeId: asString(nodeId),
    listen: place(listen),
    advertise: place(advertise),
    dataPath: asString(dataPath),
  };
}

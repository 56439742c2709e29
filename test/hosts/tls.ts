import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openAuthority } from '../../src/certs/authority.ts';
import { parseNodeNames } from '../../src/certs/index.ts';
import { issueCertificate } from '../../src/certs/issue.ts';
import { run } from './shell.ts';

/** Files as `docker --tlscacert … --tlscert … --tlskey …` takes them; the folder suits DOCKER_CERT_PATH. */
export interface TlsFiles {
  readonly folder: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const SWARM = fileURLToPath(new URL('../../bin/swarm', import.meta.url));

/** Makes a certificate authority in `folder` and gives the files of a client, as anyone makes them. */
export async function makeAuthority(folder: string): Promise<TlsFiles> {
  await run(SWARM, ['certs', '--ca', folder]);
  return filesIn(join(folder, 'client'));
}

/** The files of one engine, good for its address and name, from the authority in `folder`. */
export async function issueServer(folder: string, name: string, ip: string): Promise<TlsFiles> {
  await run(SWARM, ['certs', '--ca', folder, '--host', `${name},${ip}`]);
  return filesIn(join(folder, name));
}

/** The files of a pair, as they are called in its folder. */
export function filesIn(folder: string): TlsFiles {
  const path = (file: string): string => join(folder, `${file}.pem`);
  return { folder, ca: path('ca'), cert: path('cert'), key: path('key') };
}

/** The files as dockerd, docker and swarm take them. */
export function tlsArgs({ ca, cert, key }: TlsFiles): string[] {
  return [`--tlscacert=${ca}`, `--tlscert=${cert}`, `--tlskey=${key}`];
}

/** What a pair for a test of the TLS itself is to say. */
export interface PairWish {
  readonly names: string;
  /** When it is valid, in days from now; from some minutes ago to two days ahead if nothing is said. */
  readonly days?: readonly [number, number];
}

/** A pair signed by the authority in a folder, which is made where there is none; for pairs that `swarm certs` never makes. */
export async function makePair(authorityFolder: string, wish: PairWish, folder: string): Promise<TlsFiles> {
  const nowMs = Date.now();
  const authority = await openAuthority(authorityFolder, nowMs);
  const { folder: commonName, names } = parseNodeNames(wish.names);
  const [from, until] = (wish.days ?? [-0.01, 2]).map((days) => nowMs + days * 24 * 3600_000);
  const times = { fromMs: from ?? nowMs, untilMs: until ?? nowMs };
  const pair = await issueCertificate(authority, {
    commonName,
    names,
    usages: ['server', 'client'],
    ...times,
  });
  const files = filesIn(folder);
  mkdirSync(folder, { recursive: true });
  writeFileSync(files.key, pair.key, { mode: 0o600 });
  writeFileSync(files.cert, pair.cert);
  writeFileSync(files.ca, authority.bundle);
  return files;
}

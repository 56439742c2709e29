import { mkdirSync, readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { join } from 'node:path';
import {
  ensureFolder,
  findPair,
  issueCertificate,
  keyPem,
  newKeyPair,
  openAuthority,
  PAIR_FILES,
  pairFiles,
  replaceFiles,
  selfSigned,
  type Authority,
  type CertName,
  type PairWish,
} from '../certs/index.ts';
import type { EtcdTls } from '../store/index.ts';

/** The CA of a swarm's own etcd; PEM. Its key goes to managers and members alone. */
export interface EnsembleCa {
  readonly certPem: string;
  readonly keyPem: string;
}

/** What a member's folder has certificates for. */
const PAIRS = ['server', 'peer', 'client'] as const;
type PairName = (typeof PAIRS)[number];

const USAGES: Readonly<Record<PairName, PairWish['usages']>> = {
  server: ['server'],
  // A peer both listens and connects.
  peer: ['server', 'client'],
  client: ['client'],
};
const DAY_MS = 24 * 3600_000;
const CA_MS = 20 * 365.25 * DAY_MS;
/** Of a certificate; a new one is made when half of it is over. */
const PAIR_MS = 365 * DAY_MS;
/** How far behind the clocks of others may be, and ours may be set back. */
const BACKDATED_MS = DAY_MS;
const CA_FOLDER = 'ca';
const CA_FILES = { cert: 'ca.pem', key: 'ca-key.pem' };

/** A new CA for one etcd. It has nothing to do with the swarm's root: whoever that one signed is nobody here. */
export async function createEnsembleCa(nowMs: number): Promise<EnsembleCa> {
  const keys = await newKeyPair();
  const certPem = await selfSigned(keys, {
    commonName: `skep-etcd-ca ${randomBytes(4).toString('hex')}`,
    fromMs: nowMs - BACKDATED_MS,
    untilMs: nowMs + CA_MS,
  });
  return { certPem, keyPem: await keyPem(keys.privateKey) };
}

/**
 * The certificates of one member and of the manager beside it, in a folder:
 *
 *     ca/ca.pem, ca/ca-key.pem
 *     server/, peer/, client/    ca.pem, cert.pem, key.pem each
 *
 * With the CA's key beside them, a host that was off for long, or got another address, needs nobody to go on.
 */
export class Certificates {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  path(pair: PairName, file: keyof typeof PAIR_FILES): string {
    return join(this.#folder, pair, PAIR_FILES[file]);
  }

  /** Takes a CA, in the place of another one if need be. Throws `unavailable`. */
  keepCa({ certPem, keyPem: key }: EnsembleCa): void {
    const folder = join(this.#folder, CA_FOLDER);
    ensureFolder(folder);
    replaceFiles(folder, [
      { name: CA_FILES.key, text: key, mode: 0o600 },
      { name: CA_FILES.cert, text: certPem, mode: 0o600 },
    ]);
  }

  /** The CA that is kept here. Throws `unavailable` where it can't be read. */
  readCa(): EnsembleCa {
    const read = (name: string): string => readFileSync(join(this.#folder, CA_FOLDER, name), 'utf8');
    return { certPem: read(CA_FILES.cert), keyPem: read(CA_FILES.key) };
  }

  /**
   * Sees to it that each certificate is there, of this CA, good for the host, and in the first half of its life. etcd reads them at each
   * handshake. Returns which were made anew; throws `unavailable` where it can't be done.
   */
  async ensure(host: string, nowMs: number): Promise<PairName[]> {
    const authority = await openAuthority(join(this.#folder, CA_FOLDER), nowMs);
    const made: PairName[] = [];
    for (const pair of PAIRS) if (await this.#ensurePair(pair, authority, host, nowMs)) made.push(pair);
    return made;
  }

  /** What the manager beside it shows to members, and whom it trusts. */
  clientTls(): EtcdTls {
    const read = (file: keyof typeof PAIR_FILES): string => readFileSync(this.path('client', file), 'utf8');
    return { ca: read('ca'), cert: read('cert'), key: read('key') };
  }

  async #ensurePair(pair: PairName, authority: Authority, host: string, nowMs: number): Promise<boolean> {
    // A client has no names: etcd compares those with the address that a connection comes from.
    const names = pair === 'client' ? [] : namesOf(host);
    const usages = USAGES[pair];
    const folder = join(this.#folder, pair);
    const found = findPair(folder, { authority: authority.certificate, names, usages }, nowMs);
    if (found.kind === 'good' && nowMs < halfOf(found.certificate)) return false;
    const wish = { commonName: `skep-etcd-${pair}`, names, usages };
    const times = { fromMs: nowMs - BACKDATED_MS, untilMs: nowMs + PAIR_MS };
    const issued = await issueCertificate(authority, { ...wish, ...times });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    replaceFiles(folder, pairFiles(issued, authority.bundle));
    return true;
  }
}

function namesOf(host: string): CertName[] {
  const local: CertName[] = ['127.0.0.1', '::1'].map((value) => ({ type: 'ip', value }));
  if (local.some(({ value }) => value === host)) return local;
  return [{ type: isIP(host) > 0 ? 'ip' : 'dns', value: host }, ...local];
}

function halfOf({ validFromDate, validToDate }: { validFromDate: Date; validToDate: Date }): number {
  return (validFromDate.getTime() + validToDate.getTime()) / 2;
}

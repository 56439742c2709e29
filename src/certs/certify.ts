import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { SwarmError } from '../base/errors.ts';
import { BACKDATED_MS, openAuthority, type Authority } from './authority.ts';
import { issueCertificate } from './issue.ts';
import { namesOf, type Usage } from './judge.ts';
import type { CertName, NodeNames } from './names.ts';
import { findPair, pairFiles } from './pair-folder.ts';
import { createFolder, ensureFolder, replaceFiles } from './safe-files.ts';

export interface CertifyRequest {
  caFolder: string;
  /** Where the folders of the nodes and of the client go. */
  outFolder: string;
  nodes: readonly NodeNames[];
  /** How long new certificates are valid; the CA's own end cuts it short. */
  days: number;
  /** Make pairs anew that are there already. The CA is never made anew. */
  force: boolean;
  nowMs: number;
}

/** A pair after the run. */
export interface CertifiedPair {
  name: string;
  folder: string;
  /** What the certificate is good for, in its order. */
  names: readonly string[];
  until: Date;
  made: boolean;
}

export interface CertifyReport {
  authority: Pick<Authority, 'certPath' | 'keyPath' | 'made' | 'keyIsOpen'> & { until: Date };
  nodes: readonly CertifiedPair[];
  client: CertifiedPair;
}

interface PairPlan {
  name: string;
  folder: string;
  names: readonly CertName[];
  usages: readonly Usage[];
}

/** The name, and folder, of the pair for whoever types docker commands. */
const CLIENT = 'client';
const DAY_MS = 24 * 3600_000;
/** Every node is also asked by what runs on it. */
const LOCAL_NAMES: readonly CertName[] = [
  { type: 'dns', value: 'localhost' },
  { type: 'ip', value: '127.0.0.1' },
  { type: 'ip', value: '::1' },
];

/**
 * Sees to it that the CA, a pair for each node and one for the client are there and good. All that is there is looked at
 * before anything is made beside the CA. Throws `invalid` for nodes that share a folder, and `unavailable` for what is
 * there but no good, or cannot be written.
 */
export async function certify(request: CertifyRequest): Promise<CertifyReport> {
  const plans = planPairs(request);
  const authority = await openAuthority(request.caFolder, request.nowMs);
  const kept = new Map<PairPlan, X509Certificate>();
  for (const plan of plans) {
    const found = request.force ? undefined : keepable(plan, authority, request);
    if (found) kept.set(plan, found);
  }
  ensureFolder(request.outFolder);
  const pairs: CertifiedPair[] = [];
  for (const plan of plans) {
    const certificate = kept.get(plan) ?? (await makePair(plan, authority, request));
    const { name, folder } = plan;
    const names = namesOf(certificate);
    pairs.push({ name, folder, names, until: certificate.validToDate, made: !kept.has(plan) });
  }
  const { certPath, keyPath, made, keyIsOpen } = authority;
  const client = pairs.pop();
  if (!client) throw new SwarmError('internal', 'no client was planned');
  const until = authority.certificate.validToDate;
  return { authority: { certPath, keyPath, made, keyIsOpen, until }, nodes: pairs, client };
}

function planPairs({ nodes, outFolder }: CertifyRequest): PairPlan[] {
  const taken = new Set<string>();
  const plans = nodes.map(({ folder: name, names }): PairPlan => {
    if (name === CLIENT)
      throw new SwarmError('invalid', `no node can be called "${CLIENT}": that folder is the client's`);
    if (taken.has(name))
      throw new SwarmError('invalid', `two nodes are called "${name}": begin with another name`);
    taken.add(name);
    const local = LOCAL_NAMES.filter((one) => !names.some(({ value }) => value === one.value));
    return { name, folder: join(outFolder, name), names: [...names, ...local], usages: ['server', 'client'] };
  });
  return [...plans, { name: CLIENT, folder: join(outFolder, CLIENT), names: [], usages: ['client'] }];
}

/** The pair that is there and good; undefined where none is. */
function keepable(
  plan: PairPlan,
  authority: Authority,
  { nowMs }: CertifyRequest,
): X509Certificate | undefined {
  const found = findPair(plan.folder, { ...plan, authority: authority.certificate }, nowMs);
  switch (found.kind) {
    case 'none':
      return undefined;
    case 'good':
      return found.certificate;
    case 'unfit':
      throw new SwarmError('unavailable', `${found.why}. --force makes the pairs anew`);
  }
}

async function makePair(
  plan: PairPlan,
  authority: Authority,
  request: CertifyRequest,
): Promise<X509Certificate> {
  const { nowMs, days } = request;
  const made = await issueCertificate(authority, {
    commonName: plan.name,
    names: plan.names,
    usages: plan.usages,
    fromMs: nowMs - BACKDATED_MS,
    untilMs: nowMs + days * DAY_MS,
  });
  const files = pairFiles(made, authority.bundle);
  if (createFolder(plan.folder, files)) return new X509Certificate(made.cert);
  // A folder with other files in it, a pair to be made anew, or another run was quicker.
  const other = request.force ? undefined : keepable(plan, authority, request);
  if (other) return other;
  replaceFiles(plan.folder, files);
  return new X509Certificate(made.cert);
}

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SwarmError } from '../base/errors.ts';
import { fileReason } from '../base/file-reason.ts';
import type { SwarmCredentials } from '../swarmkit/index.ts';

/** Who a node is, and what it proves it with: the files of its engine's agent. */
export interface NodeCertificate extends SwarmCredentials {
  readonly nodeId: string;
  /** The id of its swarm. */
  readonly clusterId: string;
}

/** Where an engine keeps them below its data root (Docker: daemon/cluster, SwarmKit: ca.NewConfigPaths). */
const FOLDER = 'swarm/certificates';
const FILES = { certPem: 'swarm-node.crt', keyPem: 'swarm-node.key', rootPem: 'swarm-root-ca.crt' };

/**
 * Reads the certificate of the engine with this data root. Throws `unavailable` in words where that can't be, which it can
 * for a moment while the engine renews it.
 */
export function readNodeCertificate(dataRoot: string): NodeCertificate {
  const read = (name: string): string => {
    const path = join(dataRoot, FOLDER, name);
    try {
      return readFileSync(path, 'utf8');
    } catch (cause) {
      throw new SwarmError('unavailable', `the engine's node certificate: ${path}: ${fileReason(cause)}`, {
        cause,
      });
    }
  };
  const certPem = read(FILES.certPem);
  return {
    ...subjectOf(certPem),
    certPem,
    keyPem: bare(read(FILES.keyPem)),
    rootPem: read(FILES.rootPem),
  };
}

/** SwarmKit: the common name is the node, the organization its swarm. */
function subjectOf(certPem: string): Pick<NodeCertificate, 'nodeId' | 'clusterId'> {
  try {
    const { subject } = new X509Certificate(certPem).toLegacyObject();
    const { CN: nodeId, O: clusterId } = subject as unknown as Record<string, unknown>;
    if (typeof nodeId === 'string' && typeof clusterId === 'string') return { nodeId, clusterId };
  } catch {
    // Said below.
  }
  throw new SwarmError('unavailable', "the engine's node certificate is not one of a swarm node");
}

/** SwarmKit writes its own headers into a key's PEM, which OpenSSL takes for those of an encrypted one. */
function bare(keyPem: string): string {
  return keyPem.replace(/^(-----BEGIN [^\n]*\n)(?:[\w-]+: [^\n]*\n)+\n/gm, '$1');
}

import { X509Certificate, type webcrypto } from 'node:crypto';
import { keyPem, loadX509, newKeyPair, newSerial, readPrivateKey, signingKey } from '../certs/index.ts';
import type { Cluster, NodeRole } from '../model/index.ts';
import { ROLE_OU, type SwarmCredentials } from '../swarmkit/index.ts';
import { BACKDATED_MS, ROOT_COMMON_NAME } from './root-ca.ts';
import { signerOf, type SigningRoot } from './root-signer.ts';

/** What is needed of a cluster to sign for its nodes. */
export type Issuer = Pick<Cluster, 'id'> & {
  readonly rootCa: SigningRoot;
  readonly spec: Pick<Cluster['spec'], 'nodeCertExpiryNs'>;
};

export interface LeafWish {
  readonly nodeId: string;
  readonly role: NodeRole;
  readonly publicKey: webcrypto.CryptoKey;
  readonly nowMs: number;
}

const NS_PER_MS = 1_000_000;

/**
 * A node's certificate and what leads to the root after it, PEM: O is the swarm, OU the role, CN the node. Valid from an hour
 * ago (for clocks that are behind), for the time that the cluster's spec says from now on, never longer than the root.
 */
export async function issueCertificate(issuer: Issuer, wish: LeafWish): Promise<string> {
  const x509 = await loadX509();
  const { nodeId, role, publicKey, nowMs } = wish;
  const signer = signerOf(issuer.rootCa);
  const root = new x509.X509Certificate(signer.certPem);
  const untilMs = nowMs + issuer.spec.nodeCertExpiryNs / NS_PER_MS;
  // Agents check a manager by the name of its role, not by its host; joiners ask for the CA.
  const names = [ROLE_OU[role], nodeId, ...(role === 'manager' ? [ROOT_COMMON_NAME] : [])];
  const rootKeyId = root.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
  const leaf = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: [{ O: [issuer.id] }, { OU: [ROLE_OU[role]] }, { CN: [nodeId] }],
    issuer: root.subjectName,
    notBefore: new Date(nowMs - BACKDATED_MS),
    notAfter: new Date(Math.min(untilMs, root.notAfter.getTime())),
    publicKey,
    signingKey: await rootSigningKey(signer.keyPem),
    signingAlgorithm: { hash: 'SHA-256' },
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
        true,
      ),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      rootKeyId === undefined
        ? await x509.AuthorityKeyIdentifierExtension.create(root.publicKey)
        : new x509.AuthorityKeyIdentifierExtension(rootKeyId),
    ],
  });
  const chain = role === 'manager' ? signer.managerChain : signer.workerChain;
  return `${leaf.toString('pem')}\n${chain}`;
}

/** A new key and certificate for a manager; only swarmd itself asks for one, never the wire. */
export async function issueManagerCertificate(
  issuer: Issuer,
  nodeId: string,
  nowMs: number,
): Promise<SwarmCredentials> {
  const { publicKey, privateKey } = await newKeyPair();
  const certPem = await issueCertificate(issuer, { nodeId, role: 'manager', publicKey, nowMs });
  return { certPem, keyPem: await keyPem(privateKey), rootPem: issuer.rootCa.certPem };
}

/** The times of the first certificate of a chain, ms since 1970. */
export function validityOf(certPem: string): { readonly fromMs: number; readonly untilMs: number } {
  const { validFromDate, validToDate } = new X509Certificate(certPem);
  return { fromMs: validFromDate.getTime(), untilMs: validToDate.getTime() };
}

let last: { readonly pem: string; readonly key: Promise<webcrypto.CryptoKey> } | undefined;

/** A root's key, ready to sign; kept, because a swarm signs with one for years. */
export async function rootSigningKey(pem: string): Promise<webcrypto.CryptoKey> {
  if (last?.pem === pem) return last.key;
  const where = 'the root CA';
  const key = signingKey(readPrivateKey(pem, where), where);
  last = { pem, key };
  return key;
}

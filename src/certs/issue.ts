import { randomBytes, type webcrypto, type X509Certificate } from 'node:crypto';
import type { CertName } from './names.ts';
import type { Usage } from './judge.ts';
import { keyPem, loadX509, newKeyPair } from './x509.ts';

/** Who signs: a CA's certificate and its key. */
export interface Signer {
  certificate: X509Certificate;
  key: webcrypto.CryptoKey;
}

/** What a certificate is to say. */
export interface CertificateWish {
  commonName: string;
  names: readonly CertName[];
  usages: readonly Usage[];
  fromMs: number;
  untilMs: number;
}

/** A certificate and its key, PEM. */
export interface MadePair {
  cert: string;
  key: string;
}

/** The most a common name can hold (RFC 5280, ub-common-name). */
const COMMON_NAME_MAX = 64;

/** Makes a key and has a certificate for it signed. It is valid no longer than the signer's own. */
export async function issueCertificate(signer: Signer, wish: CertificateWish): Promise<MadePair> {
  const x509 = await loadX509();
  const authority = new x509.X509Certificate(signer.certificate.raw);
  const keys = await newKeyPair();
  // As the CA says its own name and key id, whatever way it came to them: Go compares the bytes.
  const keyId = authority.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
  const usages = { server: x509.ExtendedKeyUsage.serverAuth, client: x509.ExtendedKeyUsage.clientAuth };
  const names = wish.names.map(({ type, value }) => ({ type, value }));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: [{ CN: [wish.commonName.slice(0, COMMON_NAME_MAX)] }],
    issuer: authority.subjectName,
    notBefore: new Date(wish.fromMs),
    notAfter: new Date(Math.min(wish.untilMs, signer.certificate.validToDate.getTime())),
    publicKey: keys.publicKey,
    signingKey: signer.key,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(wish.usages.map((usage) => usages[usage])),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      keyId === undefined
        ? await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey)
        : new x509.AuthorityKeyIdentifierExtension(keyId),
    ],
  });
  return { cert: `${certificate.toString('pem')}\n`, key: await keyPem(keys.privateKey) };
}

/** Makes a CA's certificate for its key: it may sign certificates, but no further CA. PEM. */
export async function selfSigned(
  keys: webcrypto.CryptoKeyPair,
  { commonName, fromMs, untilMs }: Omit<CertificateWish, 'names' | 'usages'>,
): Promise<string> {
  const x509 = await loadX509();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: [commonName] }],
    notBefore: new Date(fromMs),
    notAfter: new Date(untilMs),
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/** 16 random bytes that make a positive number of that length in DER. */
export function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

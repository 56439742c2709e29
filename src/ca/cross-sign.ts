import { X509Certificate } from 'node:crypto';
import { SwarmError } from '../base/errors.ts';
import { loadX509, newSerial } from '../certs/index.ts';
import { rootSigningKey } from './node-certificate.ts';
import type { RootPair } from './root-ca.ts';

/**
 * A new root's key as certified by the present root: with the new one's name, key id, times and limits, so that what it signs
 * is good for those who trust either. PEM.
 */
export async function crossSign(newRootPem: string, present: RootPair): Promise<string> {
  const x509 = await loadX509();
  const [subject, issuer] = [newRootPem, present.certPem].map((pem) => new x509.X509Certificate(pem));
  if (!subject || !issuer) throw FAILED();
  const issuerKeyId = issuer.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
  const isOfIssuer = ({ type }: { readonly type: string }): boolean => type === AUTHORITY_KEY_ID;
  const cross = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: subject.subjectName,
    issuer: issuer.subjectName,
    notBefore: subject.notBefore,
    notAfter: subject.notAfter,
    publicKey: subject.publicKey,
    signingKey: await rootSigningKey(present.keyPem),
    signingAlgorithm: { hash: 'SHA-256' },
    extensions: [
      ...subject.extensions.filter((extension) => !isOfIssuer(extension)),
      // Both roots may have one name: whose signature this is shows by the key alone.
      issuerKeyId === undefined
        ? await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey)
        : new x509.AuthorityKeyIdentifierExtension(issuerKeyId),
    ],
  });
  const pem = new X509Certificate(Buffer.from(cross.rawData)).toString();
  if (!isGood(pem, present.certPem)) throw FAILED();
  return pem;
}

const AUTHORITY_KEY_ID = '2.5.29.35';
/** SwarmKit's words. */
const FAILED = (): SwarmError =>
  new SwarmError('internal', 'unable to generate a cross-signed certificate for root rotation');

/** Nodes would reject what hangs from one that is not. */
function isGood(crossPem: string, presentPem: string): boolean {
  const present = new X509Certificate(presentPem);
  const cross = new X509Certificate(crossPem);
  return cross.ca && cross.checkIssued(present) && cross.verify(present.publicKey);
}

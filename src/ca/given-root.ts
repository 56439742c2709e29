import { X509Certificate } from 'node:crypto';
import { messageOf, SwarmError } from '../base/errors.ts';
import { loadX509, readCertificates, readPrivateKey, signingKey } from '../certs/index.ts';
import type { RootPair } from './root-ca.ts';

/** SwarmKit's; a root that ends soon would end the swarm with it. */
const LEAST_MS = 365 * 24 * 3600_000;
/** SwarmKit's too: engines take no others. */
const SIGNED_BY: ReadonlySet<string> = new Set(
  ['RSASSA-PKCS1-v1_5', 'ECDSA'].flatMap((name) =>
    ['256', '384', '512'].map((bits) => `${name} SHA-${bits}`),
  ),
);
const CLASHES = 'Cannot update to a cert with an identical key';

/**
 * A root that a user brings, in one form whatever way it was written. Throws `invalid`, in SwarmKit's words where it has some,
 * for one that nodes would reject or that cannot sign for long.
 */
export async function readGivenRoot(given: RootPair, present: RootPair, nowMs: number): Promise<RootPair> {
  try {
    const root = readRoot(given.certPem, nowMs);
    await refuseUnfit(root, present);
    return { certPem: root.toString(), keyPem: await readKey(root, given.keyPem) };
  } catch (error) {
    throw error instanceof SwarmError ? error : refuse('could not parse the desired CA certificate', error);
  }
}

/** A root in the form in which roots are compared and handed out. Throws `invalid` for what is none. */
function readRoot(pem: string, nowMs: number): X509Certificate {
  let certificates: readonly X509Certificate[];
  try {
    certificates = readCertificates(pem, 'invalid root certificates');
  } catch (error) {
    throw refuse(messageOf(error), error);
  }
  const [root, ...others] = certificates;
  if (!root || others.length > 0)
    throw refuse('the desired CA certificate cannot contain multiple certificates');
  if (!root.checkIssued(root) || !root.verify(root.publicKey))
    throw refuse(
      'error while validating Root CA Certificate: it has to be signed by its own key, and to allow that (keyCertSign)',
    );
  if (!root.ca)
    throw refuse('error while validating Root CA Certificate: it is not a CA (basicConstraints CA:TRUE)');
  if (root.validFromDate.getTime() > nowMs)
    throw refuse('error while validating Root CA Certificate: it is not valid yet');
  if (root.validToDate.getTime() < nowMs + LEAST_MS)
    throw refuse('CA certificate expires too soon: a year is the least');
  return root;
}

async function refuseUnfit(root: X509Certificate, presentPair: RootPair): Promise<void> {
  const x509 = await loadX509();
  const read = new x509.X509Certificate(root.raw);
  const limits = read.getExtension(x509.BasicConstraintsExtension);
  if (limits?.pathLength === 0)
    throw refuse(
      'the desired CA certificate allows no CA below it (pathlen:0), so that it could never be rotated again',
    );
  const { name, hash } = read.signatureAlgorithm as {
    readonly name: string;
    readonly hash?: { name: string };
  };
  if (!SIGNED_BY.has(`${name} ${hash?.name}`)) throw refuse(`unsupported signature algorithm: ${name}`);
  const present = new X509Certificate(presentPair.certPem);
  if (spkiOf(present).equals(spkiOf(root)) && !present.raw.equals(root.raw)) throw refuse(CLASHES);
  // OpenSSL tells two roots of one name apart by their key ids alone.
  if (present.subject === root.subject && !read.getExtension(x509.SubjectKeyIdentifierExtension))
    throw refuse('the desired CA certificate has the name of the present one and no subject key identifier');
}

/** The root's key as PKCS#8. */
async function readKey(root: X509Certificate, pem: string): Promise<string> {
  try {
    const key = readPrivateKey(pem, 'malformed private key');
    if (!root.checkPrivateKey(key)) throw refuse('certificate key mismatch');
    await signingKey(key, 'unsupported key parameters');
    return key.export({ type: 'pkcs8', format: 'pem' }).toString();
  } catch (error) {
    throw refuse(messageOf(error), error);
  }
}

function spkiOf(certificate: X509Certificate): Buffer {
  return certificate.publicKey.export({ type: 'spki', format: 'der' });
}

function refuse(words: string, cause?: unknown): SwarmError {
  return new SwarmError('invalid', words, { cause });
}

import { CERTIFICATE_KEY, keyPem, loadX509, newKeyPair, newSerial } from '../certs/index.ts';

/** A root of trust; PEM. */
export interface RootPair {
  readonly certPem: string;
  readonly keyPem: string;
}

const YEARS = 20;
const YEAR_MS = 365.25 * 24 * 3600_000;
/** How far behind the clocks of others may be; SwarmKit's own hour. */
export const BACKDATED_MS = 3600_000;
export const ROOT_COMMON_NAME = 'swarm-ca';

/**
 * A new root as SwarmKit's: ECDSA on P-256, `CN=swarm-ca`, twenty years. It sets no limit to the path below it, because
 * a later root may be signed by it while nodes go over to that one.
 */
export async function createRootCa(nowMs: number): Promise<RootPair> {
  const x509 = await loadX509();
  const keys = await newKeyPair();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: [ROOT_COMMON_NAME] }],
    notBefore: new Date(nowMs - BACKDATED_MS),
    notAfter: new Date(nowMs + YEARS * YEAR_MS),
    keys,
    signingAlgorithm: CERTIFICATE_KEY,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certPem: `${certificate.toString('pem')}\n`, keyPem: await keyPem(keys.privateKey) };
}

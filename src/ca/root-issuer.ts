import { loadX509 } from '../certs/index.ts';

/** Who signs the certificates of a swarm: base64 of DER, as Docker shows it. */
export interface RootIssuer {
  readonly subject: string;
  readonly publicKey: string;
}

let last: { readonly pem: string; readonly issuer: Promise<RootIssuer> } | undefined;

/** The subject and the key of a root; kept, because a swarm has one for years and shows it often. */
export function rootIssuer(certPem: string): Promise<RootIssuer> {
  if (last?.pem !== certPem) last = { pem: certPem, issuer: read(certPem) };
  return last.issuer;
}

async function read(certPem: string): Promise<RootIssuer> {
  const x509 = await loadX509();
  const { subjectName, publicKey } = new x509.X509Certificate(certPem);
  return {
    subject: Buffer.from(subjectName.toArrayBuffer()).toString('base64'),
    publicKey: Buffer.from(publicKey.rawData).toString('base64'),
  };
}

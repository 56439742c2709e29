export { certify, type CertifiedPair, type CertifyReport, type CertifyRequest } from './certify.ts';
export { dayOf, type Usage } from './judge.ts';
export { parseNodeNames, type CertName, type NodeNames } from './names.ts';
export { readPrivateKey } from './pem.ts';
export { tlsFiles, type TlsFiles } from './tls-files.ts';
export { tlsWarnings } from './tls-findings.ts';
export { followTlsFiles } from './tls-renewal.ts';
export { newSerial } from './issue.ts';
export { CERTIFICATE_KEY, keyPem, loadX509, newKeyPair } from './x509.ts';

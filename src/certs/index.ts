export { certify, type CertifiedPair, type CertifyReport, type CertifyRequest } from './certify.ts';
export { coversName, dayOf, isSignedBy, mayServeAs, namesOf, validityAt, type Usage } from './judge.ts';
export { parseNodeNames, type CertName, type NodeNames } from './names.ts';
export { readCertificates, readPrivateKey } from './pem.ts';

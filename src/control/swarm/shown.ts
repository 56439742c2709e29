import type { Cluster } from '../../model/index.ts';
import { rootIssuer } from '../../ca/index.ts';
import { metaJson } from '../shapes/common.ts';
import { specJson } from './shapes.ts';

/** A swarm without its tokens, as `/info` shows it. */
export async function clusterInfo(cluster: Cluster): Promise<Record<string, unknown>> {
  const { certPem, rotation } = cluster.rootCa;
  // As Docker: who is to sign for all, beside what all trust until then. Clients tell from it who has followed.
  const issuer = await rootIssuer(rotation?.certPem ?? certPem);
  return {
    ID: cluster.id,
    ...metaJson(cluster.meta),
    Spec: specJson(cluster.spec),
    TLSInfo: {
      TrustRoot: certPem,
      CertIssuerSubject: issuer.subject,
      CertIssuerPublicKey: issuer.publicKey,
    },
    RootRotationInProgress: rotation !== undefined,
    DefaultAddrPool: cluster.defaultAddressPool,
    SubnetSize: cluster.subnetSize,
    DataPathPort: cluster.dataPathPort,
  };
}

/** A swarm as `GET /swarm` shows it. */
export async function swarmJson(cluster: Cluster): Promise<Record<string, unknown>> {
  const { worker, manager } = cluster.rootCa.joinTokens;
  return { ...(await clusterInfo(cluster)), JoinTokens: { Worker: worker, Manager: manager } };
}

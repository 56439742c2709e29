import { SwarmError } from '../../base/errors.ts';
import type { Availability, ClusterSpec } from '../../model/index.ts';
import { readAvailability } from '../nodes/availability.ts';
import { readBodyAs } from '../shapes/shape.ts';
import { clusterSpec } from './cluster-spec.ts';
import { readPools, type AddressPools } from './pools.ts';
import { initBody } from './shapes.ts';

/** What `POST /swarm/init` asks for; addresses as written. */
export interface InitRequest {
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly dataPathAddr: string;
  readonly dataPathPort: number;
  readonly forceNewCluster: boolean;
  readonly availability: Availability;
  readonly spec: ClusterSpec;
  readonly pools: AddressPools | undefined;
}

const VXLAN_PORT = 4789;
const [MIN_PORT, MAX_PORT] = [1024, 49151];

/** Reads the body of `POST /swarm/init`. Throws `invalid` in Docker's words, `unsupported` for what is not done here. */
export function readInitRequest(body: unknown): InitRequest {
  const json = readBodyAs(initBody, body);
  if (json.listenAddr === '') throw new SwarmError('invalid', 'invalid ListenAddr "": invalid empty address');
  const { autoLock } = json;
  const { signingCert, signingKey } = json.spec.ca;
  if (signingCert !== '' || signingKey !== '')
    throw new SwarmError(
      'unsupported',
      'a swarm begins with a root CA of its own: docker swarm ca --rotate --ca-cert … --ca-key … puts yours in its place',
    );
  const spec = clusterSpec(json.spec);
  return {
    listenAddr: json.listenAddr,
    advertiseAddr: json.advertiseAddr,
    dataPathAddr: json.dataPathAddr,
    dataPathPort: dataPathPort(json.dataPathPort),
    forceNewCluster: json.forceNewCluster,
    availability: readAvailability(json.availability || 'active'),
    spec: autoLock ? { ...spec, autoLockManagers: true } : spec,
    pools: readPools(json.pools, json.subnetSize),
  };
}

function dataPathPort(port: number): number {
  if (port === 0) return VXLAN_PORT;
  if (port < MIN_PORT || port > MAX_PORT)
    throw new SwarmError(
      'invalid',
      `Datapath port number is not in valid range (${MIN_PORT}-${MAX_PORT}) : ${port}`,
    );
  return port;
}

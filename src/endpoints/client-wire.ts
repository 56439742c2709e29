import { ConnectError, Code } from '@connectrpc/connect';
import type {
  Port,
  ServiceEndpoints as WireService,
  Update,
} from '../../proto/generated/skep/endpoints_pb.js';
import type {
  BalancerReport,
  DoctorFinding,
  EndpointsUpdate,
  MeshPort,
  ServiceEndpoints,
} from '../model/index.ts';
import { MODE, PROTOCOL, PROTOCOL_OF, VERDICT } from './wire-enums.ts';

/** A manager's version. Throws for one that no number can hold. */
export function versionOf({ version }: Update): number {
  if (version > BigInt(Number.MAX_SAFE_INTEGER))
    throw new ConnectError('the version of an update is out of range', Code.Internal);
  return Number(version);
}

/** What a manager said, under a version of ours. Ports of protocols that are not known here are left out. */
export function updateFromWire(update: Update, version: number): EndpointsUpdate {
  return {
    version,
    full: update.full,
    networks: update.networks.map(({ id, name, ingress, address, subnets, mtu, encrypted, entries }) => ({
      ...{ id, name, ingress, address, subnets, mtu, encrypted },
      entries: entries.map((entry) => ({ nodeId: entry.nodeId, address: entry.address })),
    })),
    goneNetworks: update.goneNetworks,
    services: update.services.map(serviceFromWire),
    goneServices: update.goneServices.map(({ networkId, serviceId }) => ({ networkId, serviceId })),
    questions: update.questions.map(({ id, serviceId }) => ({ id, serviceId })),
  };
}

function serviceFromWire(service: WireService): ServiceEndpoints {
  const { networkId, serviceId, name, virtualIp, keepClients } = service;
  return {
    ...{ networkId, serviceId, name, virtualIp, keepClients },
    ports: service.ports.flatMap(portFromWire),
    backends: service.backends.map(({ taskId, nodeId, nodeAddress, address, leaving, keepsClients }) => ({
      ...{ taskId, nodeId, nodeAddress, address, keepsClients },
      state: leaving ? 'leaving' : 'serving',
    })),
  };
}

function portFromWire({ protocol, published, target }: Port): MeshPort[] {
  const known = PROTOCOL_OF.get(protocol);
  return known ? [{ protocol: known, published, target }] : [];
}

/** A report, under the version that the manager knows. */
export function reportToWire(report: BalancerReport, version: number) {
  return {
    version: BigInt(version),
    mode: MODE[report.mode],
    problems: [...report.problems],
    takenPorts: report.takenPorts.map(({ protocol, published }) => ({
      protocol: PROTOCOL[protocol],
      published,
    })),
    keepsClients: [...report.keepsClients],
  };
}

export function answerToWire(questionId: string, findings: readonly DoctorFinding[]) {
  return {
    questionId,
    findings: findings.map(({ verdict, subject, text }) => ({ verdict: VERDICT[verdict], subject, text })),
  };
}

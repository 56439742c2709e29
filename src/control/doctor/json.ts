import type { DoctorFinding, PortConfig } from '../../model/index.ts';
import type { AddressOn, Diagnosis, ExpectedService, ExpectedTask, NodeDiagnosis } from './types.ts';

/** A diagnosis as the API answers it. */
export function diagnosisJson({ service, findings, nodes }: Diagnosis): Record<string, unknown> {
  return {
    Service: service ? serviceJson(service) : null,
    Findings: findings.map(findingJson),
    Nodes: nodes.map(nodeJson),
  };
}

function serviceJson({ id, name, mode, virtualIps, ports, tasks }: ExpectedService): Record<string, unknown> {
  return {
    ID: id,
    Name: name,
    EndpointMode: mode,
    VirtualIPs: virtualIps.map(addressJson),
    Ports: ports.map(portJson),
    Tasks: tasks.map(taskJson),
  };
}

function addressJson({ networkId, network, address }: AddressOn): Record<string, unknown> {
  return { NetworkID: networkId, Network: network, Addr: address };
}

function portJson({ protocol, targetPort, publishedPort, publishMode }: PortConfig): Record<string, unknown> {
  return {
    Protocol: protocol,
    TargetPort: targetPort,
    PublishedPort: publishedPort,
    PublishMode: publishMode,
  };
}

function taskJson(task: ExpectedTask): Record<string, unknown> {
  const { id, name, nodeId, node, state, desiredState, addresses } = task;
  return {
    ID: id,
    Name: name,
    NodeID: nodeId,
    Node: node,
    State: state,
    DesiredState: desiredState,
    Addresses: addresses.map(addressJson),
  };
}

function nodeJson({
  id,
  hostname,
  state,
  availability,
  balancing,
  findings,
}: NodeDiagnosis): Record<string, unknown> {
  return {
    ID: id,
    Hostname: hostname,
    State: state,
    Availability: availability,
    Balancer: balancing,
    Findings: findings.map(findingJson),
  };
}

function findingJson({ verdict, subject, text }: DoctorFinding): Record<string, unknown> {
  return { Verdict: verdict, Subject: subject, Text: text };
}

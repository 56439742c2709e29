import type { Annotations, Node, NodeDescription } from '../../model/index.ts';
import type { ManagersView } from '../context.ts';
import { annotations, genericResources, metaJson, platform } from '../shapes/common.ts';
import { embedded, field, struct } from '../shapes/compound.ts';
import { text } from '../shapes/scalars.ts';
import type { Shape } from '../shapes/shape.ts';
import { statusMessage } from './status.ts';

/** The body of `POST /nodes/{id}/update`. */
export interface NodeSpecJson {
  readonly annotations: Annotations;
  readonly role: string;
  readonly availability: string;
}

export const nodeSpec: Shape<NodeSpecJson> = struct<NodeSpecJson>('NodeSpec', {
  annotations: embedded(annotations),
  role: field('Role', text),
  availability: field('Availability', text),
});

/** A node as Docker shows it, with what is known of the managers. */
export function nodeJson(
  node: Node,
  managers: Pick<ManagersView, 'leaderId' | 'isThere'>,
  nowMs: number,
): Record<string, unknown> {
  const { id, meta, spec, status, description, managerAddr } = node;
  const message = statusMessage(node, nowMs);
  return {
    ID: id,
    ...metaJson(meta),
    Spec: nodeSpec.write(spec),
    Description: description ? descriptionJson(description) : emptyDescription(),
    Status: {
      State: status.state,
      ...(message === '' ? {} : { Message: message }),
      ...(status.addr === '' ? {} : { Addr: status.addr }),
    },
    ...(managerAddr === undefined
      ? {}
      : {
          ManagerStatus: {
            ...(managers.leaderId === id ? { Leader: true } : {}),
            Reachability: managers.isThere(id) ? 'reachable' : 'unreachable',
            Addr: managerAddr,
          },
        }),
  };
}

function emptyDescription(): Record<string, unknown> {
  return { Platform: {}, Resources: {}, Engine: {}, TLSInfo: {} };
}

function descriptionJson(description: NodeDescription): Record<string, unknown> {
  const { hostname, resources, engineVersion, engineLabels, plugins, tls } = description;
  const generic = genericResources.write(resources.generic);
  return {
    ...(hostname === '' ? {} : { Hostname: hostname }),
    Platform: platform.write(description.platform),
    Resources: {
      ...(resources.nanoCpus === 0 ? {} : { NanoCPUs: resources.nanoCpus }),
      ...(resources.memoryBytes === 0 ? {} : { MemoryBytes: resources.memoryBytes }),
      ...(resources.generic.length === 0 ? {} : { GenericResources: generic }),
    },
    Engine: {
      ...(engineVersion === '' ? {} : { EngineVersion: engineVersion }),
      ...(Object.keys(engineLabels).length === 0 ? {} : { Labels: engineLabels }),
      ...(plugins.length === 0
        ? {}
        : { Plugins: plugins.map(({ type, name }) => ({ Type: type, Name: name })) }),
    },
    TLSInfo: {
      ...(tls.trustRootPem === '' ? {} : { TrustRoot: tls.trustRootPem }),
      ...(tls.issuerSubject === '' ? {} : { CertIssuerSubject: tls.issuerSubject }),
      ...(tls.issuerPublicKey === '' ? {} : { CertIssuerPublicKey: tls.issuerPublicKey }),
    },
  };
}

import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import {
  NetworkSchema,
  ServiceEndpointsSchema,
  UpdateSchema,
  type Network,
  type Update,
} from '../../proto/generated/skep/endpoints_pb.js';
import type { BalancedNetwork, EndpointsUpdate, ServiceEndpoints } from '../model/index.ts';
import { PROTOCOL } from './wire-enums.ts';

/** Of the services of one message; a receiver takes 4 MiB of all. */
const SERVICES_BYTES = 512 * 1024;
/** Names of services that are gone, of one message. */
const GONE_MAX = 10_000;

/** A service goes to many nodes, and is a new object when it changes: it is encoded once, with its length before it. */
const encoded = new WeakMap<ServiceEndpoints, Uint8Array>();

/** The messages that one update takes, of a bounded size each. */
export function* updateToWire(update: EndpointsUpdate): Generator<Update> {
  const { version, full, networks, goneNetworks, services, goneServices, questions } = update;
  let message = create(UpdateSchema, {
    ...{ version: BigInt(version), full },
    networks: networks.map(networkToWire),
    goneNetworks: [...goneNetworks],
    questions: [...questions],
  });
  let from = 0;
  let gone = 0;
  for (;;) {
    const part = someServices(services, from);
    from += part.length;
    // The messages that encode the same, without being encoded anew for each node.
    message.$unknown = part.map((data) => ({
      ...{ no: UpdateSchema.field.services.number, wireType: WireType.LengthDelimited, data },
    }));
    message.goneServices = create(UpdateSchema, {
      goneServices: goneServices.slice(gone, gone + GONE_MAX),
    }).goneServices;
    gone += GONE_MAX;
    message.more = from < services.length || gone < goneServices.length;
    yield message;
    if (!message.more) return;
    message = create(UpdateSchema, { version: BigInt(version) });
  }
}

/** As many as fit into one message, one at least. */
function someServices(services: readonly ServiceEndpoints[], from: number): Uint8Array[] {
  const part: Uint8Array[] = [];
  let bytes = 0;
  for (const service of services.slice(from)) {
    const data = encodedService(service);
    bytes += data.length;
    if (bytes > SERVICES_BYTES && part.length > 0) break;
    part.push(data);
  }
  return part;
}

function networkToWire({ entries, subnets, ...plain }: BalancedNetwork): Network {
  return create(NetworkSchema, { ...plain, subnets: [...subnets], entries: [...entries] });
}

function encodedService(service: ServiceEndpoints): Uint8Array {
  let data = encoded.get(service);
  if (!data) {
    const message = create(ServiceEndpointsSchema, {
      ...service,
      ports: service.ports.map((port) => ({ ...port, protocol: PROTOCOL[port.protocol] })),
      backends: service.backends.map(({ state, ...backend }) => ({
        ...backend,
        leaving: state === 'leaving',
      })),
    });
    data = new BinaryWriter().bytes(toBinary(ServiceEndpointsSchema, message)).finish();
    encoded.set(service, data);
  }
  return data;
}

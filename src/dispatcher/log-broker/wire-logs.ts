import { create } from '@bufbuild/protobuf';
import {
  LogStream,
  SubscriptionMessageSchema,
  type LogMessage,
  type SubscriptionMessage,
} from '../../../proto/generated/swarmkit/log_broker_pb.js';
import { otherServiceId } from '../../model/index.ts';
import type { LogLine, LogOptions, LogSelector } from './types.ts';

const NS_PER_S = 1_000_000_000n;
const ATTRS_MAX = 64;

/** What one agent is asked for. */
export interface WireOptions extends Pick<LogOptions, 'streams' | 'follow' | 'tail'> {
  /** Nanoseconds since 1970; nothing older. */
  readonly sinceNs?: bigint;
}

/** What an agent is asked for; with `close`, that it is to stop. */
export function subscriptionToWire(
  id: string,
  { serviceIds = [], nodeIds = [], taskIds = [] }: LogSelector,
  { streams = [], follow, tail, sinceNs }: WireOptions,
  close: boolean,
): SubscriptionMessage {
  return create(SubscriptionMessageSchema, {
    id,
    selector: { serviceIds: serviceIds.flatMap(asEnginesKnow), nodeIds: [...nodeIds], taskIds: [...taskIds] },
    options: {
      streams: streams.map((stream) => (stream === 'stdout' ? LogStream.STDOUT : LogStream.STDERR)),
      follow,
      // SwarmKit's: 0 is all, -1 none, and -(n + 1) the last n.
      tail: tail === undefined ? 0n : BigInt(-(tail + 1)),
      ...(sinceNs === undefined ? {} : { since: moment(sinceNs) }),
    },
    close,
  });
}

/** The ids by which agents may have a service's tasks. */
function asEnginesKnow(serviceId: string): string[] {
  return [serviceId, otherServiceId(serviceId)];
}

function moment(ns: bigint): { seconds: bigint; nanos: number } {
  const nanos = ((ns % NS_PER_S) + NS_PER_S) % NS_PER_S;
  return { seconds: (ns - nanos) / NS_PER_S, nanos: Number(nanos) };
}

/** A line as a node sends it. Who sent it, and the task's service, are known better here. */
export function lineFromWire(
  { context, timestamp, stream, data, attrs }: LogMessage,
  nodeId: string,
  serviceOf: (taskId: string) => string | undefined,
): LogLine {
  const taskId = context?.taskId ?? '';
  return {
    serviceId: serviceOf(taskId) ?? context?.serviceId ?? '',
    nodeId,
    taskId,
    timestampNs: (timestamp?.seconds ?? 0n) * NS_PER_S + BigInt(timestamp?.nanos ?? 0),
    stream: stream === LogStream.STDERR ? 'stderr' : 'stdout',
    data,
    attrs: attrs.slice(0, ATTRS_MAX).map(({ key, value }) => ({ key, value })),
  };
}

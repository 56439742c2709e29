import type { Timestamp } from '@bufbuild/protobuf/wkt';
import type {
  PortConfig as WirePort,
  TaskStatus as WireStatus,
} from '../../proto/generated/swarmkit/types_pb.js';
import { stateRank, type PortConfig, type TaskStatus } from '../model/index.ts';
import { PROTOCOL, PUBLISH_MODE, reversed, TASK_STATE } from './wire-enums.ts';

const WORDS_MAX = 4096;
const ID_MAX = 128;
const PORTS_MAX = 1024;
const MS_PER_S = 1000;
const NS_PER_MS = 1e6;
/** The last moment that JavaScript has a date for. */
const LAST_MS = 8.64e15;

const STATE = reversed(TASK_STATE);
const PROTOCOL_OF = reversed(PROTOCOL);
const PUBLISH_MODE_OF = reversed(PUBLISH_MODE);

/** A status as an agent reports it; who wrote it down, and when, is added by the dispatcher. */
export type ReportedStatus = Omit<TaskStatus, 'appliedBy' | 'appliedAtMs'>;

/** Undefined for a state that is no agent's to report: agents say accepted … rejected. */
export function statusFromWire(wire: WireStatus): ReportedStatus | undefined {
  const state = STATE.get(wire.state);
  if (!state || stateRank(state) < stateRank('accepted') || stateRank(state) > stateRank('rejected'))
    return undefined;
  const { runtimeStatus } = wire;
  return {
    state,
    timestampMs: moment(wire.timestamp),
    message: wire.message.slice(0, WORDS_MAX),
    err: wire.err.slice(0, WORDS_MAX),
    ...(runtimeStatus.case === 'container'
      ? {
          container: {
            id: runtimeStatus.value.containerId.slice(0, ID_MAX),
            pid: runtimeStatus.value.pid,
            exitCode: runtimeStatus.value.exitCode,
          },
        }
      : {}),
    ports: (wire.portStatus?.ports ?? []).slice(0, PORTS_MAX).map(port),
  };
}

function port(wire: WirePort): PortConfig {
  return {
    name: wire.name.slice(0, ID_MAX),
    protocol: PROTOCOL_OF.get(wire.protocol) ?? 'tcp',
    targetPort: wire.targetPort,
    publishedPort: wire.publishedPort,
    publishMode: PUBLISH_MODE_OF.get(wire.publishMode) ?? 'ingress',
  };
}

function moment(wire: Timestamp | undefined): number {
  if (!wire) return 0;
  const ms = Number(wire.seconds) * MS_PER_S + wire.nanos / NS_PER_MS;
  return Math.min(Math.max(ms, -LAST_MS), LAST_MS);
}

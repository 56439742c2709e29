import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampNow } from '@bufbuild/protobuf/wkt';
import type { Task } from '../../proto/generated/swarmkit/objects_pb.js';
import { TaskState as State, type TaskStatusSchema } from '../../proto/generated/swarmkit/types_pb.js';

/** What becomes of a task: it goes on for ever, is refused, or ends by itself with that code. */
export type Fate = 'run' | 'reject' | { readonly exitCode: number; readonly afterMs?: number };

export type TaskStatusInit = MessageInitShape<typeof TaskStatusSchema>;

/** A task as the agent has it. */
export interface LivingTask {
  task: Task;
  state: State;
  err: string;
  exitCode: number;
  readonly fate: Fate;
}

const NEXT: Partial<Record<State, State>> = {
  [State.ASSIGNED]: State.ACCEPTED,
  [State.ACCEPTED]: State.PREPARING,
  [State.PREPARING]: State.READY,
  [State.READY]: State.STARTING,
  [State.STARTING]: State.RUNNING,
};
/** An engine's own words. */
const WORDS: Partial<Record<State, string>> = {
  [State.ACCEPTED]: 'accepted',
  [State.PREPARING]: 'preparing',
  [State.READY]: 'prepared',
  [State.STARTING]: 'starting',
  [State.RUNNING]: 'started',
  [State.COMPLETE]: 'finished',
  [State.SHUTDOWN]: 'shutdown',
  [State.FAILED]: 'started',
  [State.REJECTED]: 'preparing',
};

/** Takes one step towards what is wanted; false when there is none to take now. */
export function step(living: LivingTask): boolean {
  const { task, state, fate } = living;
  if (state > State.RUNNING) return false;
  if (task.desiredState >= State.SHUTDOWN) return become(living, State.SHUTDOWN);
  if (state === State.PREPARING && fate === 'reject')
    return become(living, State.REJECTED, 'No such image: nothing:latest');
  if (state === State.READY && task.desiredState <= State.READY) return false;
  const next = NEXT[state];
  return next !== undefined && become(living, next);
}

/** The end of the task's process. False when it has ended already. */
export function finish(living: LivingTask, exitCode: number): boolean {
  if (living.state > State.RUNNING) return false;
  living.exitCode = exitCode;
  return exitCode === 0
    ? become(living, State.COMPLETE)
    : become(living, State.FAILED, `task: non-zero exit (${exitCode})`);
}

/** What is told of it. */
export function statusOf({ task, state, err, exitCode }: LivingTask): TaskStatusInit {
  const container = { containerId: `c${task.id}`, pid: state === State.RUNNING ? 4242 : 0, exitCode };
  return {
    timestamp: timestampNow(),
    state,
    message: WORDS[state] ?? '',
    err,
    ...(state >= State.STARTING && state !== State.REJECTED
      ? { runtimeStatus: { case: 'container' as const, value: container } }
      : {}),
  };
}

function become(living: LivingTask, state: State, err = ''): true {
  living.state = state;
  living.err = err;
  return true;
}

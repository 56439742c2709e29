import type { AssignmentsMessage, SessionMessage } from '../../proto/generated/swarmkit/dispatcher_pb.js';
import { Bell } from '../base/bell.ts';
import { messageOf } from '../base/errors.ts';
import { attachmentsCover, type StopGate, type Task } from '../model/index.ts';
import type { LoopContext } from '../store/index.ts';
import type { Agent } from './agents.ts';
import { AssignmentSet } from './assignment-set.ts';
import { sessionMessage, tellingOf } from './session-message.ts';
import type { ManagerAddress } from './types.ts';

/** How long the first change waits for those that come with it. */
const TOGETHER_MS = 5;
/**
 * How long after a node's new addresses the tasks that need them may follow: an agent reads its two streams side by side,
 * and nothing tells when it has taken up a message.
 */
const TAKEN_UP_MS = 25;

/** The first message of a session, then one whenever it would say something new. Ends with the signal. */
export async function* sessionStream(
  { store, log, times }: LoopContext,
  agent: Agent,
  sessionId: string,
  managers: () => readonly ManagerAddress[],
  signal: AbortSignal,
): AsyncGenerator<SessionMessage> {
  const bell = new Bell();
  const told = { touch: () => bell.ring() };
  agent.sessionStream = told;
  signal.addEventListener('abort', () => {
    if (agent.sessionStream === told) agent.sessionStream = undefined;
  });
  bell.ring();
  let telling = new Uint8Array();
  while (await bell.heard(signal)) {
    const node = store.view.get('node', agent.nodeId);
    if (!node) return;
    let message: SessionMessage;
    try {
      message = sessionMessage(store.view, node, sessionId, managers());
      const next = tellingOf(message);
      if (Buffer.from(telling).equals(next)) continue;
      telling = Uint8Array.from(next);
    } catch (error) {
      // Without a first message there is no session; a later one is made up for by the next change.
      if (telling.length === 0) throw error;
      log.error({ node: agent.nodeId, error: messageOf(error) }, 'a node can not be told of a change');
      continue;
    }
    yield message;
    // It has been written when the next one is asked for.
    if (agent.toldNode && agent.toldNode.attachments !== node.attachments)
      await times.pause(TAKEN_UP_MS, signal);
    if (signal.aborted) return;
    agent.toldNode = node;
    agent.assignments?.nodeTold();
  }
}

/** Everything that is assigned to a node, then what changes, gathered. Ends with the signal. */
export async function* assignmentStream(
  { store, log, times }: LoopContext,
  agent: Agent,
  { gatherMs, stopGate }: { readonly gatherMs: number; readonly stopGate: StopGate | undefined },
  signal: AbortSignal,
): AsyncGenerator<AssignmentsMessage> {
  const covers = (task: Task): boolean =>
    agent.toldNode !== undefined && attachmentsCover(agent.toldNode, task);
  const mayStop = (task: Task): boolean => stopGate?.mayStop(task) ?? true;
  const set = new AssignmentSet(agent.nodeId, store.view, log, { covers, mayStop });
  agent.assignments = set;
  signal.addEventListener('abort', () => {
    if (agent.assignments === set) agent.assignments = undefined;
  });
  yield set.complete();
  let sentAtMs = times.nowMs();
  while (await set.changed.heard(signal)) {
    await times.pause(Math.max(TOGETHER_MS, sentAtMs + gatherMs - times.nowMs()), signal);
    for (let message = set.next(); message && !signal.aborted; message = set.next()) {
      yield message;
      sentAtMs = times.nowMs();
    }
  }
}

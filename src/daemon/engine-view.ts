import { eachLimited } from '../base/async.ts';
import { SwarmError } from '../base/errors.ts';
import { asArray, asObject, asString, asStringRecord } from '../base/json.ts';
import type { EngineView } from '../balancer/index.ts';
import { refusalOf, type LocalEngine } from './local-engine.ts';

/** On every container of a task (SwarmKit's agents in engines). */
const TASK_LABEL = 'com.docker.swarm.task.id';
const LOOK_MS = 10_000;
const INSPECTS_AT_ONCE = 4;
const RUNNING = encodeURIComponent(JSON.stringify({ label: [TASK_LABEL], status: ['running'] }));

/** What the balancer asks of the engine beside it. */
export function engineView(engine: LocalEngine): EngineView {
  const get = async (path: string, signal: AbortSignal): Promise<unknown> => {
    const within = AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]);
    const answer = await engine.json('GET', path, undefined, { signal: within });
    // A container that is gone by now is none that runs.
    if (answer.status === 404) return undefined;
    const refusal = refusalOf(answer);
    if (refusal !== undefined) throw new SwarmError('unavailable', refusal);
    return answer.value;
  };
  return {
    async sandboxes(taskIds, signal) {
      if (taskIds.length === 0) return [];
      const wanted = new Set(taskIds);
      const found: { taskId: string; path: string }[] = [];
      const running = asArray(await get(`/containers/json?filters=${RUNNING}`, signal)).flatMap((one) => {
        const { Id, Labels } = asObject(one);
        const taskId = asStringRecord(Labels)[TASK_LABEL] ?? '';
        return wanted.has(taskId) ? [{ id: asString(Id), taskId }] : [];
      });
      await eachLimited(running, INSPECTS_AT_ONCE, async ({ id, taskId }) => {
        const { NetworkSettings } = asObject(await get(`/containers/${encodeURIComponent(id)}/json`, signal));
        const path = asString(asObject(NetworkSettings)['SandboxKey']);
        if (path !== '') found.push({ taskId, path });
      });
      return found;
    },
  };
}

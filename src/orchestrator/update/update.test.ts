import { afterEach, describe, expect, it } from 'vitest';
import {
  FAILS_AT_ONCE,
  HANGS,
  REJECTED,
  RUNS,
  SimulatedCluster,
  type Behaviour,
  type Loop,
} from '../../../test/simulation/index.ts';
import type { ServiceSpec, Task, UpdateConfig } from '../../model/index.ts';
import { runOrchestrator } from '../run.ts';

const orchestrator: Loop = (context, signal) => runOrchestrator(context, signal);
const SECOND = 1e9;
let cluster: SimulatedCluster;
afterEach(async () => cluster.stop());

const config = (wishes: Partial<UpdateConfig> = {}): UpdateConfig => ({
  parallelism: 1,
  delayNs: 0,
  failureAction: 'pause',
  maxFailureRatio: 0,
  order: 'stop-first',
  ...wishes,
});
const image =
  (name: string, update?: UpdateConfig) =>
  (spec: ServiceSpec): ServiceSpec => ({
    ...spec,
    ...(update ? { update } : {}),
    task: {
      ...spec.task,
      ...(spec.task.container ? { container: { ...spec.task.container, image: name } } : {}),
    },
  });
/** Images say what their containers do. */
const DOES: Readonly<Record<string, Behaviour>> = { fails: FAILS_AT_ONCE, refused: REJECTED, hangs: HANGS };
const byImage = ({ spec }: Task): Behaviour => DOES[spec.container?.image ?? ''] ?? RUNS;

async function running(
  replicas: number,
  wishes: Partial<UpdateConfig> = {},
  loops = [orchestrator],
): Promise<string> {
  cluster = await SimulatedCluster.start({ nodes: 2, loops });
  cluster.behave(byImage);
  const { id } = await cluster.createService({ replicas, update: config(wishes), rollback: config() });
  await cluster.advance(1000);
  expect(cluster.running(id)).toHaveLength(loops.length === 0 ? 0 : replicas);
  return id;
}
const images = (id: string): string[] => cluster.running(id).map(({ spec }) => spec.container?.image ?? '');
const status = (id: string): string => {
  const { state, message } = cluster.service(id).updateStatus ?? {};
  return `${state}: ${message}`;
};
const count = (id: string, name: string): number => images(id).filter((each) => each === name).length;

describe('an update', () => {
  it('goes slot by slot, and is complete when the last was watched', async () => {
    const id = await running(3);
    await cluster.updateService(id, image('new'));
    const startedAtMs = cluster.times.wallMs();
    await cluster.advance(150);
    expect(status(id)).toBe('updating: update in progress');
    expect(images(id)).toHaveLength(2);
    await cluster.advance(850);
    expect(images(id)).toEqual(['new', 'new', 'new']);
    expect(status(id)).toBe('updating: update in progress');
    await cluster.advance(6000);
    expect(status(id)).toBe('completed: update completed');
    const { updateStatus } = cluster.service(id);
    expect(updateStatus?.startedAtMs).toBe(startedAtMs);
    expect(updateStatus?.completedAtMs).toBeGreaterThan(startedAtMs + 5000);
    expect(cluster.tasks(id)).toHaveLength(6);
    expect(cluster.times.waiting).toBe(1); // the sleeper
  });

  it('takes as many slots at a time as it may, and rests between', async () => {
    const id = await running(6, { parallelism: 2, delayNs: 10 * SECOND });
    await cluster.updateService(id, image('new'));
    await cluster.advance(5000);
    expect(count(id, 'new')).toBe(2);
    expect(images(id)).toHaveLength(6);
    await cluster.advance(10_000);
    expect(count(id, 'new')).toBe(4);
    await cluster.advance(10_000);
    expect(count(id, 'new')).toBe(6);
    await cluster.advance(6000);
    expect(status(id)).toBe('completed: update completed');
  });

  it('takes all at once when it may', async () => {
    const id = await running(20, { parallelism: 0 });
    await cluster.updateService(id, image('new'));
    await cluster.advance(1000);
    expect(count(id, 'new')).toBe(20);
  });

  it('that starts first never has fewer than it should', async () => {
    const id = await running(3, { order: 'start-first' });
    await cluster.updateService(id, image('new'));
    for (let time = 0; time < 60; time++) {
      await cluster.advance(20);
      expect(images(id).length).toBeGreaterThanOrEqual(3);
      expect(images(id).length).toBeLessThanOrEqual(4);
    }
    expect(images(id)).toEqual(['new', 'new', 'new']);
    await cluster.advance(6000);
    expect(status(id)).toBe('completed: update completed');
  });

  it('begins only where something differs that matters', async () => {
    const id = await running(2);
    const before = cluster.running(id).map((task) => task.id);
    const placement = {
      constraints: ['node.platform.os == linux'],
      spreadOver: [],
      maxReplicas: 0,
      platforms: [],
    };
    const changes: ((spec: ServiceSpec) => ServiceSpec)[] = [
      (spec) => structuredClone(spec),
      (spec) => ({ ...spec, annotations: { ...spec.annotations, labels: { a: 'b' } } }),
      (spec) => ({ ...spec, task: { ...spec.task, placement } }),
      (spec) => ({
        ...spec,
        task: {
          ...spec.task,
          ...(spec.task.container ? { container: { ...spec.task.container, registryAuth: 'c2VjcmV0' } } : {}),
        },
      }),
      (spec) => ({ ...spec, endpoint: { mode: 'vip', ports: [] } }),
    ];
    for (const change of changes) {
      await cluster.updateService(id, change);
      await cluster.advance(10_000);
      expect(cluster.service(id).updateStatus).toBeUndefined();
    }
    expect(cluster.tasks(id).map((task) => task.id)).toEqual(before);
    await cluster.updateService(id, (spec) => ({ ...spec, endpoint: { mode: 'dnsrr', ports: [] } }));
    await cluster.advance(10_000);
    await cluster.updateService(id, (spec) => ({ ...spec, task: { ...spec.task, forceUpdate: 1 } }));
    await cluster.advance(10_000);
    expect(cluster.tasks(id)).toHaveLength(6);
  });

  it('moves the tasks whose node does not fit any more', async () => {
    const id = await running(2);
    const placement = {
      constraints: ['node.hostname == host-1'],
      spreadOver: [],
      maxReplicas: 0,
      platforms: [],
    };
    await cluster.updateService(id, (spec) => ({ ...spec, task: { ...spec.task, placement } }));
    await cluster.advance(10_000);
    const replaced = cluster.tasks(id).filter(({ desiredState }) => desiredState === 'shutdown');
    expect(replaced.map(({ nodeId }) => nodeId)).toEqual(['node-2']);
  });

  it('waits for a task that does not come up, and a new one takes over', async () => {
    const id = await running(3);
    await cluster.updateService(id, image('hangs'));
    await cluster.advance(600_000);
    expect(images(id)).toEqual(['httpd:2.4-alpine', 'httpd:2.4-alpine']);
    expect(status(id)).toBe('updating: update in progress');
    await cluster.updateService(id, image('new'));
    await cluster.advance(20_000);
    expect(images(id)).toEqual(['new', 'new', 'new']);
    expect(status(id)).toBe('completed: update completed');
  });

  it('waits for the successor of a task that lost its node', async () => {
    cluster = await SimulatedCluster.start({ nodes: 5, loops: [orchestrator] });
    cluster.behave(byImage);
    const { id } = await cluster.createService({ replicas: 5 });
    await cluster.advance(1000);
    await cluster.updateService(id, image('hangs'));
    await cluster.advance(1000);
    expect(count(id, 'httpd:2.4-alpine')).toBe(4);
    const [first] = cluster.tasks(id).filter(({ spec }) => spec.container?.image === 'hangs');
    cluster.behave({ startMs: 10_000 });
    await cluster.setNode(first?.nodeId ?? '', 'down');
    await cluster.advance(1000);
    expect(count(id, 'httpd:2.4-alpine')).toBe(4);
    await cluster.advance(8000);
    expect(count(id, 'httpd:2.4-alpine')).toBe(4);
    await cluster.advance(100_000);
    expect(count(id, 'hangs')).toBe(5);
    expect(status(id)).toBe('completed: update completed');
  });

  it('of a global service goes on when a node is lost', async () => {
    cluster = await SimulatedCluster.start({ nodes: 3, loops: [orchestrator] });
    cluster.behave(byImage);
    const { id } = await cluster.createService({ mode: { kind: 'global' } });
    await cluster.advance(1000);
    await cluster.updateService(id, image('hangs'));
    await cluster.advance(1000);
    const [first] = cluster.tasks(id).filter(({ spec }) => spec.container?.image === 'hangs');
    cluster.behave(RUNS);
    await cluster.down(first?.nodeId ?? '');
    await cluster.advance(20_000);
    expect(count(id, 'hangs')).toBe(2);
    expect(status(id)).toBe('completed: update completed');
  });

  it('and scaling go together', async () => {
    const id = await running(4);
    await cluster.updateService(id, (spec) =>
      image('new')({ ...spec, mode: { kind: 'replicated', replicas: 6 } }),
    );
    await cluster.advance(20_000);
    expect(images(id)).toEqual(Array.from({ length: 6 }, () => 'new'));
    await cluster.updateService(id, (spec) =>
      image('newer')({ ...spec, mode: { kind: 'replicated', replicas: 2 } }),
    );
    await cluster.advance(20_000);
    expect(images(id)).toEqual(['newer', 'newer']);
    expect(status(id)).toBe('completed: update completed');
  });

  it('ends with its service', async () => {
    const id = await running(3);
    await cluster.updateService(id, image('hangs'));
    await cluster.advance(1000);
    await cluster.removeService(id);
    await cluster.advance(100_000);
    expect(cluster.tasks(id).every(({ desiredState }) => desiredState === 'remove')).toBe(true);
    expect(cluster.context.lines).toEqual([]);
  });
});

describe('an update that fails', () => {
  it('is paused, and stays so until the service is written again', async () => {
    const id = await running(3);
    await cluster.updateService(id, image('fails'));
    await cluster.advance(30_000);
    const first = cluster.tasks(id).find(({ spec }) => spec.container?.image === 'fails');
    expect(status(id)).toBe(`paused: update paused due to failure or early termination of task ${first?.id}`);
    expect(count(id, 'httpd:2.4-alpine')).toBe(2);
    await cluster.advance(100_000);
    expect(count(id, 'httpd:2.4-alpine')).toBe(2);
    await cluster.updateService(id, image('new'));
    await cluster.advance(20_000);
    expect(images(id)).toEqual(['new', 'new', 'new']);
    expect(status(id)).toBe('completed: update completed');
  });

  it('by a refused image too, and a task that ends while it is watched', async () => {
    const id = await running(2);
    await cluster.updateService(id, image('refused'));
    await cluster.advance(2000);
    expect(status(id)).toMatch(/^paused: update paused due to failure/);
    cluster.behave({ ends: { afterMs: 4000, exitCode: 0 } });
    await cluster.updateService(id, image('short', config({ parallelism: 0 })));
    await cluster.advance(6000);
    expect(status(id)).toMatch(/^paused: update paused due to failure or early termination of task/);
  });

  it('by one that ran long enough does not', async () => {
    const id = await running(1, { monitorNs: SECOND });
    cluster.behave({ ends: { afterMs: 3000, exitCode: 1 } });
    await cluster.updateService(id, image('short'));
    await cluster.advance(10_000);
    expect(status(id)).toBe('completed: update completed');
  });

  it('goes on where it is to', async () => {
    const id = await running(3, { failureAction: 'continue' });
    await cluster.updateService(id, image('fails'));
    await cluster.advance(60_000);
    expect(count(id, 'httpd:2.4-alpine')).toBe(0);
    expect(status(id)).toBe('completed: update completed');
  });

  it('counts failures against all slots', async () => {
    const id = await running(4, { maxFailureRatio: 0.5 });
    let failing = 2;
    // The first of the slots fail, and their restarts do not.
    cluster.behave(({ slot, replaces }) =>
      replaces?.delayMs === 0 && slot <= failing ? FAILS_AT_ONCE : RUNS,
    );
    await cluster.updateService(id, image('new'));
    await cluster.advance(60_000);
    expect(status(id)).toBe('completed: update completed');
    expect(count(id, 'new')).toBe(4);
    failing = 3;
    await cluster.updateService(id, image('newer'));
    await cluster.advance(60_000);
    expect(status(id)).toMatch(/^paused/);
    expect(count(id, 'new')).toBe(1);
  });

  it('is rolled back where it is to, to the spec before', async () => {
    const id = await running(3, { failureAction: 'rollback' });
    const { spec, specVersion } = cluster.service(id);
    await cluster.updateService(id, image('fails'));
    await cluster.advance(2000);
    expect(status(id)).toMatch(
      /^rollback_started: update rolled back due to failure or early termination of task /,
    );
    await cluster.advance(30_000);
    expect(status(id)).toBe('rollback_completed: rollback completed');
    expect(count(id, 'httpd:2.4-alpine')).toBe(3);
    const after = cluster.service(id);
    expect(after.spec).toEqual(spec);
    expect(after.specVersion).toBe(specVersion);
    expect(after.previousSpec).toBeUndefined();
  });

  it('and started first, leaves the old tasks until they are wanted again', async () => {
    const id = await running(3, { failureAction: 'rollback', order: 'start-first' });
    const before = cluster.running(id).map((task) => task.id);
    await cluster.updateService(id, image('fails'));
    await cluster.advance(60_000);
    expect(status(id)).toBe('rollback_completed: rollback completed');
    expect(cluster.running(id).map((task) => task.id)).toEqual(before);
  });

  it('and started first and goes on, has the old tasks until a new one runs', async () => {
    const id = await running(2, { failureAction: 'continue', order: 'start-first' });
    await cluster.updateService(id, image('fails'));
    await cluster.advance(60_000);
    expect(status(id)).toBe('completed: update completed');
    expect(count(id, 'httpd:2.4-alpine')).toBe(2);
    cluster.behave(RUNS);
    await cluster.advance(60_000);
    expect(images(id)).toEqual(['fails', 'fails']);
  });

  it('tries each slot once where nothing is to be restarted', async () => {
    const id = await running(2, { failureAction: 'continue', order: 'start-first' });
    await cluster.updateService(id, (spec) => {
      const next = image('fails')(spec);
      return { ...next, task: { ...next.task, restart: { condition: 'none', maxAttempts: 0 } } };
    });
    await cluster.advance(60_000);
    expect(status(id)).toBe('completed: update completed');
    expect(count(id, 'httpd:2.4-alpine')).toBe(2);
    expect(cluster.tasks(id)).toHaveLength(4);
  });

  it('without a spec to go back to is paused', async () => {
    const id = await running(2, { failureAction: 'rollback' });
    await cluster.updateService(id, image('fails'));
    await cluster.store.update((tx) => {
      const service = tx.get('service', id);
      if (service) tx.update('service', { ...service, previousSpec: undefined });
    });
    await cluster.advance(5000);
    expect(status(id)).toMatch(/^paused: update paused/);
  });

  it('while it is rolled back is paused', async () => {
    const id = await running(2, { failureAction: 'rollback' });
    await cluster.updateService(id, image('fails'));
    cluster.behave(FAILS_AT_ONCE);
    await cluster.advance(30_000);
    expect(status(id)).toMatch(
      /^rollback_paused: rollback paused due to failure or early termination of task /,
    );
  });
});

describe('a rollback that the user asks for', () => {
  it('takes the rules for rollbacks', async () => {
    const id = await running(2, { delayNs: 3600 * SECOND });
    await cluster.updateService(id, image('new', config()));
    await cluster.advance(20_000);
    await cluster.store.update((tx) => {
      const service = tx.get('service', id);
      if (!service?.previousSpec) throw new Error('no former spec');
      tx.update('service', {
        ...service,
        spec: service.previousSpec,
        specVersion: service.previousSpecVersion ?? 0,
        previousSpec: service.spec,
        previousSpecVersion: service.specVersion,
        updateStatus: {
          state: 'rollback_started',
          startedAtMs: cluster.times.wallMs(),
          message: 'manually requested rollback',
        },
      });
    });
    await cluster.advance(20_000);
    expect(count(id, 'httpd:2.4-alpine')).toBe(2);
    expect(status(id)).toBe('rollback_completed: rollback completed');
  });
});

describe('an update that a restart of the manager interrupts', () => {
  it.each([10, 50, 150, 250, 350, 450, 1000, 3000])('after %d ms goes on', async (afterMs) => {
    const id = await running(3, {}, []);
    const stop = cluster.run(orchestrator);
    await cluster.advance(1000);
    await cluster.updateService(id, image('new'));
    await cluster.advance(afterMs);
    await stop();
    await cluster.advance(1000);
    cluster.run(orchestrator);
    for (let time = 0; time < 100; time++) {
      await cluster.advance(100);
      expect(cluster.running(id).length).toBeGreaterThanOrEqual(2);
    }
    expect(images(id)).toEqual(['new', 'new', 'new']);
    expect(status(id)).toBe('completed: update completed');
    expect(cluster.tasks(id)).toHaveLength(6);
  });

  it('has its failures counted that happened meanwhile', async () => {
    const id = await running(1, { failureAction: 'rollback' }, []);
    const stop = cluster.run(orchestrator);
    await cluster.advance(1000);
    await cluster.updateService(id, image('refused'));
    await cluster.advance(50);
    await stop();
    await cluster.advance(5000);
    cluster.run(orchestrator);
    await cluster.advance(30_000);
    expect(status(id)).toBe('rollback_completed: rollback completed');
    expect(count(id, 'httpd:2.4-alpine')).toBe(1);
  });

  it('stays paused', async () => {
    const id = await running(3, {}, []);
    const stop = cluster.run(orchestrator);
    await cluster.advance(1000);
    await cluster.updateService(id, image('fails'));
    await cluster.advance(3000);
    await stop();
    cluster.run(orchestrator);
    await cluster.advance(30_000);
    expect(status(id)).toMatch(/^paused/);
    expect(count(id, 'httpd:2.4-alpine')).toBe(2);
  });
});

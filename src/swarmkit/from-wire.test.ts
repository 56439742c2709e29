import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import {
  NodeDescriptionSchema,
  TaskState,
  TaskStatusSchema,
} from '../../proto/generated/swarmkit/types_pb.js';
import { descriptionFromWire, statusFromWire } from './index.ts';

describe('what an agent says of its host', () => {
  it('is read, each plugin and resource once, in one order', () => {
    const plugin = { type: 'Volume', name: 'local' };
    const wire = create(NodeDescriptionSchema, {
      hostname: 'worker1',
      platform: { architecture: 'x86_64', os: 'linux' },
      resources: {
        nanoCpus: 4_000_000_000n,
        memoryBytes: -5n,
        generic: [
          { resource: { case: 'namedResourceSpec', value: { kind: 'gpu', value: 'a' } } },
          { resource: { case: 'namedResourceSpec', value: { kind: 'gpu', value: 'a' } } },
          { resource: { case: 'discreteResourceSpec', value: { kind: 'ssd', value: 3n } } },
          { resource: { case: undefined } },
        ],
      },
      engine: {
        engineVersion: '28.5.2',
        labels: { z: '1', a: '2' },
        plugins: [plugin, { type: 'Log', name: 'syslog' }, plugin],
      },
      tlsInfo: { trustRoot: Buffer.from('PEM'), certIssuerSubject: Uint8Array.from([1, 2]) },
    });
    const read = descriptionFromWire(
      fromBinary(NodeDescriptionSchema, toBinary(NodeDescriptionSchema, wire)),
    );
    expect(read).toEqual({
      hostname: 'worker1',
      platform: { architecture: 'x86_64', os: 'linux' },
      resources: {
        nanoCpus: 4e9,
        memoryBytes: 0,
        generic: [
          { kind: 'gpu', value: 'a' },
          { kind: 'ssd', value: 3 },
        ],
      },
      engineVersion: '28.5.2',
      engineLabels: { a: '2', z: '1' },
      plugins: [{ type: 'Log', name: 'syslog' }, plugin],
      tls: { trustRootPem: 'PEM', issuerSubject: 'AQI=', issuerPublicKey: '' },
      fips: false,
    });
    expect(Object.keys(read?.engineLabels ?? {})).toEqual(['a', 'z']);
  });

  it('is bounded, and may be nothing', () => {
    expect(descriptionFromWire(undefined)).toBeUndefined();
    const long = 'x'.repeat(100_000);
    const labels = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`, long]));
    const read = descriptionFromWire(
      create(NodeDescriptionSchema, {
        hostname: long,
        engine: { labels },
        tlsInfo: { trustRoot: Buffer.from(long) },
      }),
    );
    expect(read?.hostname.length).toBe(256);
    expect(Object.keys(read?.engineLabels ?? {}).length).toBe(512);
    expect(JSON.stringify(read).length).toBeLessThan(3e6);
    expect(descriptionFromWire(create(NodeDescriptionSchema))?.hostname).toBe('');
  });

  it('takes __proto__ for a name like any other', () => {
    const engine = { labels: JSON.parse('{"__proto__":"x"}') as Record<string, string> };
    const read = descriptionFromWire(create(NodeDescriptionSchema, { engine }));
    expect(Object.keys(read?.engineLabels ?? {})).toEqual(['__proto__']);
  });
});

describe('what an agent says of a task', () => {
  it('is read with its container and ports', () => {
    const wire = create(TaskStatusSchema, {
      state: TaskState.RUNNING,
      timestamp: { seconds: 1_700_000_000n, nanos: 7_900_000 },
      message: 'started',
      runtimeStatus: { case: 'container', value: { containerId: 'abc', pid: 12, exitCode: -1 } },
      portStatus: { ports: [{ protocol: 1, targetPort: 53, publishedPort: 30_001, publishMode: 1 }] },
    });
    expect(statusFromWire(wire)).toEqual({
      state: 'running',
      timestampMs: 1_700_000_000_007.9,
      message: 'started',
      err: '',
      container: { id: 'abc', pid: 12, exitCode: -1 },
      ports: [{ name: '', protocol: 'udp', targetPort: 53, publishedPort: 30_001, publishMode: 'host' }],
    });
  });

  it('is not for agents to say beyond accepted … rejected', () => {
    for (const state of [TaskState.NEW, TaskState.ASSIGNED, TaskState.REMOVE, TaskState.ORPHANED, 12345])
      expect(statusFromWire(create(TaskStatusSchema, { state }))).toBeUndefined();
  });

  it('is bounded', () => {
    const wire = create(TaskStatusSchema, {
      state: TaskState.FAILED,
      err: 'e'.repeat(1e6),
      timestamp: { seconds: 2n ** 62n, nanos: 0 },
      portStatus: { ports: Array.from({ length: 5000 }, () => ({})) },
    });
    const read = statusFromWire(wire);
    expect(read?.err.length).toBe(4096);
    expect(read?.ports.length).toBe(1024);
    expect(new Date(read?.timestampMs ?? NaN).getTime()).not.toBeNaN();
  });
});

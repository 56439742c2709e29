import { equals, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { NetworkSchema, NodeSchema, TaskSchema } from '../../proto/generated/swarmkit/objects_pb.js';
import {
  IPAMConfig_AddressFamily,
  IssuanceStatus_State,
  NodeRole,
  TaskState,
} from '../../proto/generated/swarmkit/types_pb.js';
import { clusterFixture, containerFixture, nodeFixture } from '../../test/simulation/index.ts';
import { TASK_STATES, type Meta, type Network, type Node, type Task } from '../model/index.ts';
import { configToWire, networkKeyToWire, nodeToWire, secretToWire, taskToWire } from './index.ts';
import { networkToWire } from './to-wire-network.ts';
import { TASK_STATE } from './wire-enums.ts';

const meta: Meta = { version: 42, createdAtMs: 1_700_000_000_123, updatedAtMs: 1_700_000_001_999.5 };

const overlay: Network = {
  id: 'net1',
  meta,
  spec: {
    annotations: { name: 'back', labels: { a: 'b' } },
    driver: { name: 'overlay', options: { encrypted: '' } },
    ipv6: false,
    internal: true,
    attachable: true,
    ingress: false,
    configOnly: false,
    nodeLocal: false,
  },
  allocated: {
    driver: { name: 'overlay', options: { 'com.docker.network.driver.overlay.vxlanid_list': '4097' } },
    ipam: {
      driver: { name: 'default', options: {} },
      configs: [
        { subnet: '10.0.9.0/24', range: '', gateway: '10.0.9.1', reserved: {} },
        { subnet: 'fd00::/64', range: '', gateway: 'fd00::1', reserved: {} },
      ],
    },
  },
};

const unallocated: Network = { id: overlay.id, meta, spec: overlay.spec };

const task: Task = {
  id: 'task1',
  meta,
  serviceId: 'service1',
  slot: 3,
  nodeId: 'node1',
  annotations: { name: '', labels: {} },
  serviceAnnotations: { name: 'web', labels: { x: 'y' } },
  spec: {
    container: containerFixture({
      command: ['/bin/sh'],
      args: ['-c', 'true'],
      labels: { ['__proto__']: 'data', plain: 'x' },
      init: true,
      stopGracePeriodNs: 10_500_000_000,
      privileges: {
        credentialSpec: { kind: 'config', value: 'c1' },
        selinux: { disable: false, user: 'u', role: 'r', type: 't', level: 'l' },
        seccomp: { mode: 'custom', profile: Buffer.from('{}').toString('base64') },
        apparmor: { mode: 'disabled' },
        noNewPrivileges: true,
      },
      mounts: [
        {
          type: 'bind',
          source: '/a',
          target: '/b',
          readOnly: true,
          consistency: 'cached',
          bind: {
            propagation: 'rslave',
            nonRecursive: true,
            createMountpoint: true,
            readOnlyNonRecursive: false,
            readOnlyForceRecursive: true,
          },
        },
        {
          type: 'volume',
          source: 'v',
          target: '/v',
          readOnly: false,
          consistency: '',
          volume: {
            noCopy: true,
            labels: { l: '1' },
            subpath: 's',
            driver: { name: 'local', options: { o: '2' } },
          },
        },
        {
          type: 'tmpfs',
          source: '',
          target: '/t',
          readOnly: false,
          consistency: 'default',
          tmpfs: { sizeBytes: 2 ** 40, mode: 0o1777, options: '[["exec"]]' },
        },
      ],
      secrets: [{ id: 's1', name: 'key', file: { name: 'key', uid: '0', gid: '0', mode: 0o444 } }],
      configs: [
        { id: 'c1', name: 'cred' },
        { id: 'c2', name: 'conf', file: { name: '/etc/x', uid: '1', gid: '2', mode: 0o400 } },
      ],
      dns: { nameservers: ['1.1.1.1'], search: ['lan'], options: ['ndots:2'] },
      healthcheck: { test: ['CMD', 'x'], intervalNs: 1e9, timeoutNs: 2e9, retries: 3, startPeriodNs: 0 },
      isolation: 'hyperv',
      sysctls: { 'net.core.somaxconn': '1024' },
      ulimits: [{ name: 'nofile', soft: -1, hard: 1024 }],
      oomScoreAdj: -500,
      registryAuth: 'abc',
    }),
    limits: { nanoCpus: 5e8, memoryBytes: 2 ** 33, generic: [], pids: 77 },
    reservations: {
      nanoCpus: 1,
      memoryBytes: 2,
      generic: [
        { kind: 'gpu', value: 'uuid-1' },
        { kind: 'ssd', value: 4 },
      ],
    },
    swapBytes: -1,
    memorySwappiness: 60,
    restart: { condition: 'on-failure', delayNs: 5e9, maxAttempts: 3, windowNs: 1e9 },
    placement: {
      constraints: ['node.role==worker'],
      spreadOver: ['node.labels.zone'],
      maxReplicas: 2,
      platforms: [{ architecture: 'x86_64', os: 'linux' }],
    },
    logDriver: { name: 'json-file', options: { 'max-size': '1m' } },
    networks: [{ target: 'net1', aliases: ['web'], driverOptions: {}, addresses: [] }],
    forceUpdate: 1,
  },
  specVersion: 7,
  status: {
    state: 'running',
    timestampMs: 1_700_000_000_001,
    message: 'started',
    err: '',
    container: { id: 'abc', pid: 99, exitCode: -1 },
    ports: [{ name: '', protocol: 'udp', targetPort: 53, publishedPort: 30_000, publishMode: 'host' }],
    appliedBy: 'm',
    appliedAtMs: 1,
  },
  desiredState: 'shutdown',
  networks: [{ networkId: 'net1', addresses: ['10.0.9.11/24'], aliases: ['web'], driverOptions: { k: 'v' } }],
  endpoint: {
    spec: { mode: 'vip', ports: [] },
    ports: [{ name: '', protocol: 'tcp', targetPort: 80, publishedPort: 8080, publishMode: 'ingress' }],
    virtualIps: [{ networkId: 'net1', addr: '10.0.9.2/24' }],
  },
  logDriver: { name: 'json-file', options: {} },
  assignedGenericResources: [{ kind: 'gpu', value: 'uuid-1' }],
  jobIteration: 2,
};

const networks = (id: string): Network | undefined => (id === 'net1' ? overlay : undefined);

describe('a task on the wire', () => {
  it('comes back as it went, in full', () => {
    const wire = taskToWire(task, networks);
    const back = fromBinary(TaskSchema, toBinary(TaskSchema, wire));
    expect(equals(TaskSchema, back, taskToWire({ ...task, spec: { ...task.spec } }, networks))).toBe(true);
    expect(back).toMatchObject({
      slot: 2n, // SwarmKit's jobs begin with 0
      desiredState: TaskState.SHUTDOWN,
      specVersion: { index: 7n },
      jobIteration: { index: 2n },
      status: { state: TaskState.RUNNING, timestamp: { seconds: 1_700_000_000n, nanos: 1_000_000 } },
      networks: [{ network: { id: 'net1' }, addresses: ['10.0.9.11/24'] }],
    });
    const { runtime, resources } = back.spec ?? {};
    expect(runtime?.case).toBe('container');
    expect(runtime?.value).toMatchObject({
      pidsLimit: 77n,
      init: true,
      stopGracePeriod: { seconds: 10n, nanos: 500_000_000 },
      pullOptions: { registryAuth: 'abc' },
      ulimits: [{ soft: -1n, hard: 1024n }],
      configs: [{ target: { case: 'runtime' } }, { target: { case: 'file', value: { mode: 0o400 } } }],
    });
    expect(resources?.swapBytes).toBe(-1n);
    expect(back.endpoint?.virtualIps).toMatchObject([{ networkId: 'net1', addr: '10.0.9.2/24' }]);
  });

  it('shares what many tasks have in common', () => {
    const other = { ...task, id: 'task2' };
    expect(taskToWire(other, networks).spec).toBe(taskToWire(task, networks).spec);
  });

  it('throws for numbers that the wire has no room for, and does not come half', () => {
    for (const memoryBytes of [NaN, Infinity, 2 ** 64]) {
      const spec = { ...task.spec, limits: { nanoCpus: 0, memoryBytes, generic: [] } };
      expect(() => taskToWire({ ...task, spec }, networks)).toThrow(/64 bits/);
    }
    expect(() => taskToWire({ ...task, slot: -1 }, networks)).toThrow(/negative/);
    const port = {
      name: '',
      protocol: 'tcp',
      targetPort: 2 ** 40,
      publishedPort: 0,
      publishMode: 'host',
    } as const;
    const endpoint = { spec: { mode: 'vip', ports: [] } as const, ports: [port], virtualIps: [] };
    expect(() => taskToWire({ ...task, endpoint }, networks)).toThrow(/32 bits/);
  });

  it('goes without networks that are gone, unless it is to start', () => {
    const gone = (): undefined => undefined;
    expect(taskToWire(task, gone).networks).toEqual([]);
    const fresh = { ...task, status: { ...task.status, state: 'assigned' as const } };
    expect(() => taskToWire(fresh, gone)).toThrow('network net1 is gone');
    expect(() => taskToWire(fresh, () => unallocated)).toThrow('has no addresses yet');
  });

  it('has a number for each state, in order', () => {
    const numbers = TASK_STATES.map((state) => TASK_STATE[state]);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });
});

describe('a network on the wire', () => {
  it('has a driver for its addresses always', () => {
    const wire = networkToWire(overlay, 'net1', true);
    expect(wire).toMatchObject({
      driverState: { name: 'overlay' },
      ipam: {
        driver: { name: 'default' },
        configs: [{ family: IPAMConfig_AddressFamily.IPV4 }, { family: IPAMConfig_AddressFamily.IPV6 }],
      },
    });
  });

  it('of each engine has its driver’s name, and the label that says so', () => {
    const spec = {
      ...overlay.spec,
      annotations: { name: 'host', labels: {} },
      driver: { name: 'host', options: {} },
    };
    const host: Network = { ...unallocated, spec: { ...spec, nodeLocal: true } };
    const wire = networkToWire(host, 'h', true);
    expect(wire && fromBinary(NetworkSchema, toBinary(NetworkSchema, wire))).toMatchObject({
      driverState: { name: 'host' },
      ipam: { driver: { name: '' }, configs: [] },
      spec: { annotations: { labels: { 'com.docker.swarm.predefined': 'true' } } },
    });
    const own = {
      ...host,
      spec: {
        ...host.spec,
        annotations: { name: 'lan', labels: {} },
        driver: { name: 'macvlan', options: {} },
        configFrom: 'lan-config',
      },
    };
    const wireOwn = networkToWire(own, 'l', true);
    expect(wireOwn?.driverState?.name).toBe('macvlan');
    expect(wireOwn?.spec?.annotations?.labels).toEqual({});
    expect(wireOwn?.spec?.configFrom).toEqual({ case: 'network', value: 'lan-config' });
  });
});

describe('a node on the wire', () => {
  const cluster = { ...clusterFixture(), meta };

  it('is a worker, whatever the store says', () => {
    const plain = nodeFixture({ labels: { zone: 'a' } });
    const node: Node = {
      ...plain,
      meta,
      role: 'manager',
      managerAddr: '10.0.0.1:2377',
      spec: { ...plain.spec, role: 'manager', availability: 'drain' },
      certificate: { csrPem: 'csr', certPem: 'cert', state: 'rotate' },
      attachments: [
        { networkId: 'net1', addresses: ['10.0.9.250/24'], aliases: [], driverOptions: {} },
        { networkId: 'gone', addresses: ['10.0.8.250/24'], aliases: [], driverOptions: {} },
      ],
    };
    const back = fromBinary(NodeSchema, toBinary(NodeSchema, nodeToWire(node, cluster, networks)));
    expect(back).toMatchObject({
      role: NodeRole.WORKER,
      spec: { desiredRole: NodeRole.WORKER, availability: 2, membership: 1 },
      certificate: { role: NodeRole.WORKER, status: { state: IssuanceStatus_State.ROTATE } },
      VXLANUDPPort: 4789,
      attachments: [{ network: { id: 'net1' }, addresses: ['10.0.9.250/24'] }],
    });
    expect(back.$unknown).toBeUndefined();
  });
});

describe('what else goes over the wire', () => {
  it('is a secret, a config and a key, byte for byte', () => {
    const data = Uint8Array.from([0, 255, 1]);
    const spec = {
      annotations: { name: 'k', labels: {} },
      data,
      templating: { name: 'golang', options: {} },
    };
    expect(secretToWire({ id: 's', meta, spec }).spec).toMatchObject({
      data,
      templating: { name: 'golang' },
    });
    expect(configToWire({ id: 'c', meta, spec }).spec?.data).toEqual(data);
    const key = Buffer.alloc(16, 7);
    const wire = networkKeyToWire({
      subsystem: 'networking:gossip',
      key: key.toString('base64'),
      lamportTime: 3,
    });
    expect(wire).toMatchObject({ subsystem: 'networking:gossip', lamportTime: 3n, algorithm: 0 });
    expect(Buffer.from(wire.key)).toEqual(key);
  });
});

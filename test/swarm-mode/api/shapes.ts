import { expect } from 'vitest';

/** The members that Docker's API promises of each object, with values of their kinds. */
const text = expect.any(String) as string;
const number = expect.any(Number) as number;
const id = expect.stringMatching(/^[0-9a-z]{25}$/) as string;
const moment = expect.stringMatching(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/) as string;
const token = expect.stringMatching(/^SWMTKN-1-/) as string;
const containerId = expect.stringMatching(/^[0-9a-f]{64}$/) as string;
const some = expect.any(Array) as unknown[];
const having = (members: object): object => expect.objectContaining(members) as object;

const meta = { ID: id, Version: { Index: number }, CreatedAt: moment, UpdatedAt: moment };
const tls = { TrustRoot: text, CertIssuerSubject: text, CertIssuerPublicKey: text };

export const swarmShape = having({
  ...meta,
  Spec: having({
    Name: 'default',
    Labels: {},
    Orchestration: { TaskHistoryRetentionLimit: 5 },
    Raft: having({ SnapshotInterval: number, ElectionTick: number, HeartbeatTick: number }),
    Dispatcher: { HeartbeatPeriod: number },
    CAConfig: having({ NodeCertExpiry: number }),
    EncryptionConfig: { AutoLockManagers: false },
  }),
  TLSInfo: tls,
  RootRotationInProgress: false,
  DefaultAddrPool: ['10.0.0.0/8'],
  SubnetSize: 24,
  DataPathPort: 4789,
  JoinTokens: { Worker: token, Manager: token },
});

export const nodeShape = having({
  ...meta,
  Spec: { Labels: {}, Role: 'manager', Availability: 'active' },
  Description: having({
    Hostname: text,
    Platform: { Architecture: text, OS: 'linux' },
    Resources: having({ NanoCPUs: number, MemoryBytes: number }),
    Engine: having({ EngineVersion: text, Plugins: some }),
    TLSInfo: tls,
  }),
  Status: { State: 'ready', Addr: text },
  ManagerStatus: { Leader: true, Reachability: 'reachable', Addr: text },
});

export const serviceShape = having({
  ...meta,
  Spec: having({
    Name: text,
    Labels: {},
    TaskTemplate: having({ ContainerSpec: having({ Image: text }), ForceUpdate: 0, Runtime: 'container' }),
    Mode: { Replicated: { Replicas: number } },
  }),
  Endpoint: having({ Spec: having({}) }),
});

export const taskShape = having({
  ...meta,
  Labels: {},
  Spec: having({ ContainerSpec: having({ Image: text }), ForceUpdate: 0 }),
  ServiceID: id,
  Slot: 1,
  NodeID: id,
  Status: having({
    Timestamp: moment,
    State: 'running',
    Message: 'started',
    ContainerStatus: { ContainerID: containerId, PID: number, ExitCode: 0 },
    PortStatus: {},
  }),
  DesiredState: 'running',
});

export const secretShape = having({ ...meta, Spec: { Name: text, Labels: having({}) } });
export const configShape = having({ ...meta, Spec: { Name: text, Labels: having({}), Data: text } });

export const infoShape = having({
  NodeID: id,
  NodeAddr: text,
  LocalNodeState: 'active',
  ControlAvailable: true,
  Error: '',
  RemoteManagers: [{ NodeID: id, Addr: text }],
  Nodes: 1,
  Managers: 1,
  Cluster: having({ ...meta, Spec: having({ Name: 'default' }), TLSInfo: tls }),
});

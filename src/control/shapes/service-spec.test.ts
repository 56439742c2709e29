import { describe, expect, it } from 'vitest';
import { SwarmError } from '../../base/errors.ts';
import { parseExact } from '../../base/exact-json.ts';
import { serviceSpec } from './service-spec.ts';
import { readBodyAs } from './shape.ts';

/** As `docker service create` (28) sends it for `--name web --replicas 3 -p 80:80 nginx`, and its inspect shows it. */
const PLAIN = {
  Name: 'web',
  Labels: {},
  TaskTemplate: {
    ContainerSpec: {
      Image: 'nginx:latest@sha256:0a399eb16751829e1af26fea27b20c3ec28d7ab1fb72182879dcae1cca21206a',
      Privileges: { CredentialSpec: null, SELinuxContext: null, NoNewPrivileges: false },
      Init: false,
      StopGracePeriod: 10000000000,
      DNSConfig: {},
      Isolation: 'default',
    },
    Resources: { Limits: {}, Reservations: {} },
    RestartPolicy: { Condition: 'any', Delay: 5000000000, MaxAttempts: 0 },
    Placement: { Platforms: [{ Architecture: 'amd64', OS: 'linux' }, { OS: 'linux' }] },
    ForceUpdate: 0,
    Runtime: 'container',
  },
  Mode: { Replicated: { Replicas: 3 } },
  UpdateConfig: {
    Parallelism: 1,
    FailureAction: 'pause',
    Monitor: 5000000000,
    MaxFailureRatio: 0,
    Order: 'stop-first',
  },
  RollbackConfig: {
    Parallelism: 1,
    FailureAction: 'pause',
    Monitor: 5000000000,
    MaxFailureRatio: 0,
    Order: 'stop-first',
  },
  EndpointSpec: {
    Mode: 'vip',
    Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 80, PublishMode: 'ingress' }],
  },
};

/** Everything that a spec can have. */
const WHOLE = {
  Name: 'all',
  Labels: { a: 'b', __proto_: 'c' },
  TaskTemplate: {
    ContainerSpec: {
      Image: 'registry:5000/app:1',
      Labels: { tier: 'back' },
      Command: ['/bin/sh'],
      Args: ['-c', 'true'],
      Hostname: '{{.Node.Hostname}}',
      Env: ['A=1'],
      Dir: '/srv',
      User: '1000',
      Groups: ['10'],
      Privileges: {
        CredentialSpec: { Config: 'c1', File: '', Registry: '' },
        SELinuxContext: { Disable: false, User: 'u', Role: 'r', Type: 't', Level: 'l' },
        Seccomp: { Mode: 'custom', Profile: 'e30=' },
        AppArmor: { Mode: 'disabled' },
        NoNewPrivileges: true,
      },
      Init: true,
      StopSignal: 'SIGINT',
      TTY: true,
      OpenStdin: true,
      ReadOnly: true,
      Mounts: [
        {
          Type: 'bind',
          Source: '/a',
          Target: '/b',
          ReadOnly: true,
          Consistency: 'cached',
          BindOptions: { Propagation: 'rshared', NonRecursive: true, CreateMountpoint: true },
        },
        {
          Type: 'volume',
          Source: 'v',
          Target: '/v',
          VolumeOptions: {
            NoCopy: true,
            Labels: { l: '1' },
            Subpath: 's',
            DriverConfig: { Name: 'local', Options: { o: 'x' } },
          },
        },
        {
          Type: 'tmpfs',
          Target: '/t',
          TmpfsOptions: { SizeBytes: 1024, Mode: 448, Options: [['noexec'], ['uid', '1']] },
        },
      ],
      StopGracePeriod: 0,
      Healthcheck: {
        Test: ['CMD', 'true'],
        Interval: 1e9,
        Timeout: 2e9,
        StartPeriod: 3e9,
        StartInterval: 4e9,
        Retries: 3,
      },
      Hosts: ['10.0.0.1 one'],
      DNSConfig: { Nameservers: ['8.8.8.8'], Search: ['x.y'], Options: ['ndots:1'] },
      Secrets: [{ File: { Name: 's', UID: '0', GID: '0', Mode: 292 }, SecretID: 's1', SecretName: 'sn' }],
      Configs: [
        { File: { Name: 'f', UID: '0', GID: '0', Mode: 292 }, ConfigID: 'c0', ConfigName: 'cn' },
        { Runtime: {}, ConfigID: 'c1', ConfigName: 'cs' },
      ],
      Isolation: 'hyperv',
      Sysctls: { 'net.ipv4.ip_forward': '1' },
      CapabilityAdd: ['CAP_NET_ADMIN'],
      CapabilityDrop: ['ALL'],
      Ulimits: [{ Name: 'nofile', Hard: 2048, Soft: 1024 }],
      OomScoreAdj: -5,
    },
    Resources: {
      Limits: { NanoCPUs: 5e8, MemoryBytes: 1e8, Pids: 10 },
      Reservations: {
        NanoCPUs: 1e8,
        MemoryBytes: 5e7,
        GenericResources: [
          { DiscreteResourceSpec: { Kind: 'gpu', Value: 2 } },
          { NamedResourceSpec: { Kind: 'fpga', Value: 'f1' } },
        ],
      },
      SwapBytes: 0,
      MemorySwappiness: 60,
    },
    RestartPolicy: { Condition: 'on-failure', Delay: 0, MaxAttempts: 3, Window: 6e10 },
    Placement: {
      Constraints: ['node.role==worker'],
      Preferences: [{ Spread: { SpreadDescriptor: 'node.labels.zone' } }],
      MaxReplicas: 2,
      Platforms: [{ Architecture: 'amd64', OS: 'linux' }],
    },
    Networks: [{ Target: 'n1', Aliases: ['x'], DriverOpts: { d: '1' } }],
    LogDriver: { Name: 'json-file', Options: { 'max-size': '1m' } },
    ForceUpdate: 7,
    Runtime: 'container',
  },
  Mode: { ReplicatedJob: { MaxConcurrent: 2, TotalCompletions: 9 } },
  UpdateConfig: {
    Parallelism: 0,
    Delay: 1e9,
    FailureAction: 'rollback',
    Monitor: 1e9,
    MaxFailureRatio: 0.25,
    Order: 'start-first',
  },
  EndpointSpec: {
    Mode: 'dnsrr',
    Ports: [{ Name: 'p', Protocol: 'udp', TargetPort: 53, PublishedPort: 5353, PublishMode: 'host' }],
  },
};

function roundTrip(given: unknown): unknown {
  return serviceSpec.write(readBodyAs(serviceSpec, parseExact(JSON.stringify(given))));
}

function refusal(given: unknown): string {
  try {
    readBodyAs(serviceSpec, parseExact(typeof given === 'string' ? given : JSON.stringify(given)));
  } catch (error) {
    if (error instanceof SwarmError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

const withContainer = (container: object): object => ({ TaskTemplate: { ContainerSpec: container } });

describe('serviceSpec', () => {
  it.each([
    ['what the CLI sends', PLAIN],
    ['everything', WHOLE],
  ])('shows %s as it came, in Docker’s order', (_, given) => {
    expect(JSON.stringify(roundTrip(given))).toBe(JSON.stringify(given));
  });

  it('shows nothing that was not given, but for what Docker always shows', () => {
    expect(roundTrip({ TaskTemplate: { ContainerSpec: { Image: 'x' } } })).toEqual({
      Labels: {},
      TaskTemplate: {
        ContainerSpec: { Image: 'x', Isolation: 'default' },
        ForceUpdate: 0,
        Runtime: 'container',
      },
      Mode: { Replicated: { Replicas: 1 } },
    });
  });

  it.each([
    [{ Resources: {} }, { Resources: {} }],
    [{ Placement: {} }, { Placement: {} }],
    [{ RestartPolicy: {} }, { RestartPolicy: { Condition: 'any', MaxAttempts: 0 } }],
    [{ Resources: { Limits: { Pids: 5 } } }, { Resources: { Limits: { Pids: 5 } } }],
    [{ Resources: null, Placement: null }, {}],
  ])('keeps %j of a template', (given, shown) => {
    const spec = roundTrip({ TaskTemplate: { ContainerSpec: { Image: 'x' }, ...given } });
    expect((spec as typeof PLAIN).TaskTemplate).toEqual({
      ContainerSpec: { Image: 'x', Isolation: 'default' },
      ...shown,
      ForceUpdate: 0,
      Runtime: 'container',
    });
  });

  it.each([
    [{}, { Replicated: { Replicas: 1 } }],
    [{ Replicated: {} }, { Replicated: { Replicas: 1 } }],
    [{ Replicated: { Replicas: 0 } }, { Replicated: { Replicas: 0 } }],
    [{ Global: {} }, { Global: {} }],
    [{ GlobalJob: {} }, { GlobalJob: {} }],
    [{ ReplicatedJob: {} }, { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 1 } }],
    [{ ReplicatedJob: { MaxConcurrent: 4 } }, { ReplicatedJob: { MaxConcurrent: 4, TotalCompletions: 4 } }],
  ])('reads mode %j', (given, shown) => {
    const spec = roundTrip({ ...withContainer({ Image: 'x' }), Mode: given });
    expect((spec as typeof PLAIN).Mode).toEqual(shown);
  });

  it.each([
    [{ BindOptions: {} }, {}],
    [
      { BindOptions: { NonRecursive: true } },
      { BindOptions: { Propagation: 'rprivate', NonRecursive: true } },
    ],
    [{ VolumeOptions: {} }, { VolumeOptions: {} }],
    [{ TmpfsOptions: {} }, { TmpfsOptions: {} }],
  ])('keeps %j of a mount', (given, shown) => {
    const spec = roundTrip(withContainer({ Mounts: [{ Source: '/a', Target: '/b', ...given }] }));
    const [mount] = (spec as typeof WHOLE).TaskTemplate.ContainerSpec.Mounts;
    expect(mount).toEqual({ Type: 'bind', Source: '/a', Target: '/b', ...shown });
  });

  it('finds members in any case, and takes the networks that old clients put beside the template', () => {
    const spec = readBodyAs(serviceSpec, {
      name: 'x',
      tasktemplate: { containerspec: { IMAGE: 'y' } },
      Networks: [{ Target: 'n' }],
    });
    expect(spec.annotations.name).toBe('x');
    expect(spec.task.container?.image).toBe('y');
    expect(spec.task.networks.map(({ target }) => target)).toEqual(['n']);
  });

  it('takes any key of a map as data', () => {
    const text = '{"Labels":{"__proto__":"p","constructor":"c"},"TaskTemplate":{"ContainerSpec":{}}}';
    const spec = readBodyAs(serviceSpec, parseExact(text));
    expect(JSON.stringify(spec.annotations.labels)).toBe('{"__proto__":"p","constructor":"c"}');
    expect(({} as Record<string, unknown>)['p']).toBeUndefined();
  });

  it('keeps the largest numbers within Go’s types', () => {
    const spec = readBodyAs(
      serviceSpec,
      parseExact(
        '{"TaskTemplate":{"ContainerSpec":{"Ulimits":[{"Name":"core","Hard":9223372036854775807}]},"ForceUpdate":18446744073709551615}}',
      ),
    );
    const hard = spec.task.container?.ulimits[0]?.hard ?? 0;
    expect(BigInt(hard) < 2n ** 63n).toBe(true);
    expect(BigInt(spec.task.forceUpdate) < 2n ** 64n).toBe(true);
  });

  const json = (what: string): string => `invalid: invalid JSON: json: cannot unmarshal ${what}`;
  it.each([
    [
      withContainer({ TTY: 'yes' }),
      json('string into Go struct field ContainerSpec.TaskTemplate.ContainerSpec.TTY of type bool'),
    ],
    [
      withContainer({ Image: 5 }),
      json('number into Go struct field ContainerSpec.TaskTemplate.ContainerSpec.Image of type string'),
    ],
    [
      withContainer({ Env: 'A=1' }),
      json('string into Go struct field ContainerSpec.TaskTemplate.ContainerSpec.Env of type []string'),
    ],
    [
      withContainer({ Env: [true] }),
      json('bool into Go struct field ContainerSpec.TaskTemplate.ContainerSpec.Env of type string'),
    ],
    [
      withContainer({ Labels: ['a'] }),
      json(
        'array into Go struct field ContainerSpec.TaskTemplate.ContainerSpec.Labels of type map[string]string',
      ),
    ],
    [
      withContainer({ Labels: { a: 1 } }),
      json('number into Go struct field ContainerSpec.TaskTemplate.ContainerSpec.Labels of type string'),
    ],
    [
      withContainer({ StopGracePeriod: 1.5 }),
      json(
        'number 1.5 into Go struct field ContainerSpec.TaskTemplate.ContainerSpec.StopGracePeriod of type time.Duration',
      ),
    ],
    [
      { TaskTemplate: 'x' },
      json('string into Go struct field ServiceSpec.TaskTemplate of type swarm.TaskSpec'),
    ],
    [
      { ...withContainer({}), Mode: { Replicated: { Replicas: -1 } } },
      json('number -1 into Go struct field ReplicatedService.Mode.Replicated.Replicas of type uint64'),
    ],
    [
      { ...withContainer({}), EndpointSpec: { Ports: [{ TargetPort: 2 ** 32 }] } },
      json('number 4294967296 into Go struct field PortConfig.EndpointSpec.Ports.TargetPort of type uint32'),
    ],
    [
      '{"TaskTemplate":{"ContainerSpec":{},"ForceUpdate":99999999999999999999}}',
      json(
        'number 99999999999999999999 into Go struct field TaskSpec.TaskTemplate.ForceUpdate of type uint64',
      ),
    ],
    [{}, 'invalid: mismatched Runtime and *Spec fields'],
    [{ TaskTemplate: { Runtime: 'plugin' } }, 'unsupported: services of plugins are not supported'],
    [{ TaskTemplate: { Runtime: 'attachment', NetworkAttachmentSpec: {} } }, 'invalid: unsupported runtime'],
    [
      { ...withContainer({}), Mode: { Global: {}, Replicated: {} } },
      'invalid: must specify only one service mode',
    ],
    [
      { TaskTemplate: { ContainerSpec: {}, RestartPolicy: { Condition: 'maybe' } } },
      'invalid: invalid RestartCondition: "maybe"',
    ],
    [
      { ...withContainer({}), UpdateConfig: { FailureAction: 'cry' } },
      'invalid: unrecognized update failure action cry',
    ],
    [{ ...withContainer({}), RollbackConfig: { Order: 'odd' } }, 'invalid: unrecognized update order odd'],
    [{ ...withContainer({}), EndpointSpec: { Mode: 'ipvs' } }, 'invalid: invalid resolution mode: "ipvs"'],
    [
      { ...withContainer({}), EndpointSpec: { Ports: [{ Protocol: 'icmp' }] } },
      'invalid: invalid port protocol: "icmp"',
    ],
    [withContainer({ Mounts: [{ Type: 'image' }] }), 'invalid: invalid MountType: "image"'],
    [
      withContainer({ Mounts: [{ BindOptions: { Propagation: 'odd' } }] }),
      'invalid: invalid MountPropagation: "odd"',
    ],
    [
      withContainer({ Secrets: [{ SecretID: 'a' }] }),
      'invalid: rpc error: code = InvalidArgument desc = malformed secret reference',
    ],
    [
      withContainer({ Secrets: [{ SecretID: 'a', SecretName: 'b' }] }),
      'invalid: rpc error: code = InvalidArgument desc = malformed secret reference, no target provided',
    ],
    [
      withContainer({ Configs: [{ ConfigID: 'a', ConfigName: 'b' }] }),
      'invalid: invalid Config: either File or Runtime should be set',
    ],
    [
      withContainer({ Configs: [{ File: {}, Runtime: {} }] }),
      'invalid: invalid Config: cannot specify both File and Runtime',
    ],
    [
      withContainer({ Privileges: { CredentialSpec: {} } }),
      'invalid: invalid CredentialSpec: must either provide "file", "registry", or "config" for credential spec',
    ],
    [
      withContainer({ Privileges: { CredentialSpec: { Config: 'a', File: 'b' } } }),
      'invalid: invalid CredentialSpec: cannot specify both "config" and "file" credential specs',
    ],
    [
      withContainer({ Privileges: { CredentialSpec: { Config: 'a', File: 'b', Registry: 'c' } } }),
      'invalid: invalid CredentialSpec: cannot specify both "config", "file", and "registry" credential specs',
    ],
  ])('refuses %j', (given, words) => {
    expect(refusal(given)).toBe(words);
  });
});

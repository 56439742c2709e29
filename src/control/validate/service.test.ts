import { describe, expect, it } from 'vitest';
import { SwarmError } from '../../base/errors.ts';
import { serviceSpec } from '../shapes/service-spec.ts';
import { readBodyAs } from '../shapes/shape.ts';
import { isImageReference } from './image.ts';
import { checkServiceSpec } from './service.ts';

interface Given {
  readonly Name?: string;
  readonly container?: object;
  readonly template?: object;
  readonly rest?: object;
}

function refusal({ Name = 'web', container = {}, template = {}, rest = {} }: Given): string {
  const json = {
    Name,
    TaskTemplate: { ContainerSpec: { Image: 'nginx', ...container }, ...template },
    ...rest,
  };
  try {
    checkServiceSpec(readBodyAs(serviceSpec, json));
  } catch (error) {
    if (error instanceof SwarmError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

const mount = (given: object): Given => ({ container: { Mounts: [given] } });
const file = (Name: string): object => ({ Name, UID: '0', GID: '0', Mode: 0o444 });

describe('checkServiceSpec', () => {
  it.each<Given>([
    { Name: 'a'.repeat(63) },
    { Name: 'shop_web-1' },
    { container: { Image: 'registry:5000/a/b:1' } },
    { container: { Env: ['NODE={{.Node.Hostname}}', 'BRACES=}}', 'P={{ .Node.Platform.OS }}'] } },
    {
      container: {
        Env: ['L={{index .Service.Labels "a"}}', 'S={{if .Task.Slot}}x{{else}}y{{end}}', '{{/* {{ */}}'],
      },
    },
    { container: { Hostname: '{{.Service.Name}}-{{.Task.Slot}}' } },
    { container: { Healthcheck: { Interval: 1e6, Retries: 0 } } },
    mount({ Type: 'bind', Source: '/a', Target: '/b' }),
    mount({ Type: 'bind', Source: 'C:\\a', Target: 'd:/b' }),
    mount({ Type: 'bind', Source: '{{.Node.ID}}', Target: '/b' }),
    mount({ Type: 'volume', Target: '/b' }),
    mount({ Type: 'npipe', Source: '\\\\.\\pipe\\a', Target: '\\\\.\\pipe\\a' }),
    { template: { Resources: { Limits: { NanoCPUs: 1e6, MemoryBytes: 4194304 } } } },
    { template: { Placement: { Constraints: ['node.role == manager', 'node.labels.a!=b'] } } },
    { rest: { Mode: { GlobalJob: {} } } },
    { rest: { Mode: { Replicated: { Replicas: 0 } } } },
    { rest: { EndpointSpec: { Mode: 'dnsrr', Ports: [{ TargetPort: 80, PublishMode: 'host' }] } } },
    {
      rest: {
        EndpointSpec: {
          Ports: [
            { TargetPort: 53, PublishedPort: 53, Protocol: 'udp' },
            { TargetPort: 53, PublishedPort: 53, Protocol: 'tcp' },
            { TargetPort: 1 },
            { TargetPort: 2 },
          ],
        },
      },
    },
    {
      container: {
        Privileges: { CredentialSpec: { Config: 'c1' } },
        Configs: [{ Runtime: {}, ConfigID: 'c1', ConfigName: 'n' }],
      },
    },
  ])('takes %j', (given) => {
    expect(refusal(given)).toBe('accepted');
  });

  it.each<[Given, string]>([
    [{ Name: '' }, 'meta: name must be provided'],
    [{ Name: '-a' }, 'name must be valid as a DNS name component'],
    [{ Name: 'a.b' }, 'name must be valid as a DNS name component'],
    [{ Name: 'a-'.repeat(5000) }, 'name must be valid as a DNS name component'],
    [{ Name: 'a'.repeat(64) }, 'name must be 63 characters or fewer'],
    [{ container: { Image: '' } }, 'ContainerSpec: image reference must be provided'],
    [{ container: { Image: 'A B' } }, 'ContainerSpec: "A B" is not a valid repository/tag'],
    [
      { container: { Env: ['A={{.Node'] } },
      'expanding env failed: expanding env "A={{.Node": template: expansion:1: unclosed action',
    ],
    [
      { container: { Env: ['A={{.Nope}}'] } },
      'expanding env failed: expanding env "A={{.Nope}}": template: expansion:1:2: executing "expansion" at <.Nope>: can\'t evaluate field Nope in type *template.Context',
    ],
    [
      { container: { Env: ['A={{foo}}'] } },
      'expanding env failed: expanding env "A={{foo}}": template: expansion:1: function "foo" not defined',
    ],
    [
      { container: { Env: ['A={{.Node.Nope}}'] } },
      'expanding env failed: expanding env "A={{.Node.Nope}}": template: expansion:1:7: executing "expansion" at <.Node.Nope>: can\'t evaluate field Nope in type struct { ID string; Hostname string; Platform template.Platform }',
    ],
    [{ container: { Hostname: '{{' } }, 'expanding hostname failed: template: expansion:1: unclosed action'],
    [
      { container: { Healthcheck: { Interval: 5 } } },
      'ContainerSpec: Interval in HealthConfig cannot be less than 1ms',
    ],
    [
      { container: { Healthcheck: { StartPeriod: -1 } } },
      'ContainerSpec: StartPeriod in HealthConfig cannot be less than 1ms',
    ],
    [
      { container: { Healthcheck: { Retries: -1 } } },
      'ContainerSpec: Retries in HealthConfig cannot be negative',
    ],
    [
      mount({ Type: 'bind', Target: '/b' }),
      'ContainerSpec: invalid bind mount source, must be an absolute path: ',
    ],
    [
      mount({ Type: 'bind', Source: './a', Target: '/b' }),
      'ContainerSpec: invalid bind mount source, must be an absolute path: ./a',
    ],
    [
      mount({ Type: 'volume', Source: '/a', Target: '/b' }),
      'ContainerSpec: invalid volume mount source, must not be an absolute path: /a',
    ],
    [
      mount({ Type: 'volume', Source: 'a' }),
      'ContainerSpec: invalid mount target, must be an absolute path: ',
    ],
    [
      mount({ Type: 'tmpfs', Source: 'a', Target: '/b' }),
      'ContainerSpec: invalid tmpfs source, source must be empty',
    ],
    [mount({ Type: 'npipe', Target: 'b' }), 'ContainerSpec: invalid npipe source, source must not be empty'],
    [
      {
        container: {
          Mounts: [
            { Type: 'tmpfs', Target: '/b' },
            { Type: 'tmpfs', Target: '/b' },
          ],
        },
      },
      'ContainerSpec: duplicate mount point: /b',
    ],
    [
      {
        container: {
          Secrets: [
            { SecretID: 'a', SecretName: 'a', File: file('f') },
            { SecretID: 'b', SecretName: 'b', File: file('f') },
          ],
        },
      },
      "secret references 'a' and 'b' have a conflicting target: 'f'",
    ],
    [
      { container: { Secrets: [{ SecretID: 'a', SecretName: 'a', File: file('') }] } },
      'malformed file secret reference, invalid target file name provided',
    ],
    [{ container: { Configs: [{ ConfigName: 'a', File: file('f') }] } }, 'malformed config reference'],
    [
      { container: { Privileges: { CredentialSpec: { Config: 'c1' } } } },
      "CredentialSpec references config 'c1', but that config isn't in config references with RuntimeTarget",
    ],
    [
      { template: { Resources: { Limits: { NanoCPUs: 100 } } } },
      'invalid cpu value 1e-07: Must be at least 0.001',
    ],
    [
      { template: { Resources: { Reservations: { NanoCPUs: 5e5 } } } },
      'invalid cpu value 0.0005: Must be at least 0.001',
    ],
    [
      { template: { Resources: { Limits: { MemoryBytes: 1024 } } } },
      'invalid memory value 1024: Must be at least 4MiB',
    ],
    [
      { template: { Resources: { Limits: { MemoryBytes: -5 } } } },
      'invalid memory value -5: Must be at least 4MiB',
    ],
    [{ template: { RestartPolicy: { Delay: -1 } } }, 'TaskSpec: restart-delay cannot be negative'],
    [{ template: { RestartPolicy: { Window: -1 } } }, 'TaskSpec: restart-window cannot be negative'],
    [{ rest: { UpdateConfig: { Delay: -1 } } }, 'TaskSpec: update-delay cannot be negative'],
    [{ rest: { UpdateConfig: { Monitor: -1 } } }, 'TaskSpec: update-monitor cannot be negative'],
    [
      { rest: { UpdateConfig: { MaxFailureRatio: 1.5 } } },
      'TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1',
    ],
    [{ rest: { Mode: { Replicated: { Replicas: 2 ** 63 } } } }, 'Number of replicas must be non-negative'],
    [
      { rest: { Mode: { ReplicatedJob: { MaxConcurrent: 2 ** 63 } } } },
      'Maximum concurrent jobs must not be negative',
    ],
    [
      { rest: { Mode: { ReplicatedJob: { TotalCompletions: 2 ** 63 } } } },
      'Total completed jobs must not be negative',
    ],
    [{ rest: { Mode: { GlobalJob: {} }, UpdateConfig: {} } }, 'Jobs may not have an update config'],
    [
      { rest: { EndpointSpec: { Mode: 'dnsrr', Ports: [{ TargetPort: 80 }] } } },
      "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
    ],
    [
      {
        rest: {
          EndpointSpec: {
            Ports: [
              { TargetPort: 1, PublishedPort: 80 },
              { TargetPort: 2, PublishedPort: 80 },
            ],
          },
        },
      },
      'EndpointSpec: duplicate published ports provided',
    ],
    [{ rest: { EndpointSpec: { Ports: [{ TargetPort: 70000 }] } } }, 'EndpointSpec: invalid port 70000'],
  ])('refuses %j', (given, words) => {
    expect(refusal(given)).toBe(`invalid: rpc error: code = InvalidArgument desc = ${words}`);
  });

  it('refuses a constraint in SwarmKit’s words, as the caller’s fault', () => {
    expect(refusal({ template: { Placement: { Constraints: ['node.role=manager'] } } })).toBe(
      'invalid: rpc error: code = Unknown desc = constraint expected one operator from ==, !=',
    );
  });

  it('refuses volumes of the cluster', () => {
    expect(refusal(mount({ Type: 'cluster', Source: 'a', Target: '/b' }))).toMatch(/^unsupported: /);
  });
});

describe('isImageReference', () => {
  it.each([
    'nginx',
    'nginx:1.27-alpine',
    'library/nginx',
    'localhost/a',
    'localhost:5000/a/b__c:T_1',
    'Host.example:5000/a',
    '[::1]:5000/a',
    'a--b/c.d',
    `a@sha256:${'0'.repeat(64)}`,
    `a:1@sha256:${'0'.repeat(64)}`,
  ])('takes %s', (text) => {
    expect(isImageReference(text)).toBe(true);
  });

  it.each([
    '',
    'Nginx',
    'a/B',
    'a:',
    'a:.x',
    ':5000/a',
    'a//b',
    '/a',
    'a/',
    'a..b',
    'a___b',
    `a:${'x'.repeat(129)}`,
    'a@sha256:short',
    'a@',
    '0'.repeat(64),
    'a b',
    'a'.repeat(300),
    `${'a-'.repeat(100_000)}`,
    'https://registry/a',
  ])('refuses %j', (text) => {
    expect(isImageReference(text)).toBe(false);
  });
});

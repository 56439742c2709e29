/** A request that must be refused, and how. */
export interface Refused {
  /** Method and path; `VERSION` in it is the object's present one. */
  readonly ask: string;
  /** A string is sent as it is. */
  readonly body?: unknown;
  readonly status: number;
  readonly words: RegExp;
}

type Row = readonly [ask: string, body: unknown, status: number, words: RegExp];
const rows = (list: readonly Row[]): Refused[] =>
  list.map(([ask, body, status, words]) => ({ ask, body, status, words }));

const filters = (value: object): string => encodeURIComponent(JSON.stringify(value));
const BAD_JSON = /invalid JSON/;
const NOT_A_MANAGER =
  /^This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.$/;
const OUT_OF_SEQUENCE = /^rpc error: code = Unknown desc = update out of sequence$/;
const mistyped = (member: string, type: string): RegExp =>
  new RegExp(`cannot unmarshal .* into Go struct field \\w*\\.?${member} of type ${type}`);

/** What a host that is in no swarm refuses; `ip` is its own. */
export function refusedWithoutSwarm(ip: string): Refused[] {
  const init = (changes: object): object => ({ ListenAddr: '0.0.0.0', AdvertiseAddr: ip, ...changes });
  const routes = [
    ...['GET /swarm', 'POST /swarm/update?version=1', 'GET /swarm/unlockkey', 'POST /swarm/unlock'],
    ...['GET /nodes', 'GET /nodes/x', 'DELETE /nodes/x', 'POST /nodes/x/update?version=1'],
    ...['GET /services', 'POST /services/create', 'GET /services/x', 'DELETE /services/x'],
    ...['POST /services/x/update?version=1', 'GET /services/x/logs?stdout=1'],
    ...['GET /tasks', 'GET /tasks/x', 'GET /tasks/x/logs?stdout=1'],
    ...['secrets', 'configs'].flatMap((kind) => [
      ...[`GET /${kind}`, `POST /${kind}/create`, `GET /${kind}/x`, `DELETE /${kind}/x`],
      `POST /${kind}/x/update?version=1`,
    ]),
  ];
  return [
    ...routes.map((ask) => ({
      ask,
      ...(ask.startsWith('POST') ? { body: {} } : {}),
      status: 503,
      words: NOT_A_MANAGER,
    })),
    ...rows([
      ['POST /swarm/leave', undefined, 503, /This node is not part of a swarm/],
      ['POST /swarm/init', '{', 400, BAD_JSON],
      ['POST /swarm/init', [], 400, BAD_JSON],
      ['POST /swarm/init', init({ ListenAddr: 5 }), 400, mistyped('ListenAddr', 'string')],
      ['POST /swarm/init', {}, 400, /invalid ListenAddr "": invalid empty address/],
      [
        'POST /swarm/init',
        init({ ListenAddr: 'x y' }),
        400,
        /listen address must be an IP address or network/,
      ],
      ['POST /swarm/init', init({ ListenAddr: '0.0.0.0:99999' }), 400, /could not parse listen address/],
      ['POST /swarm/init', init({ AdvertiseAddr: 'nosuch' }), 400, /advertise address must be a non-zero IP/],
      ['POST /swarm/init', init({ DataPathPort: 1 }), 400, /not in valid range \(1024-49151\)/],
      ['POST /swarm/init', init({ Availability: 'gone' }), 400, /invalid Availability: "gone"/],
      ['POST /swarm/init', init({ DefaultAddrPool: ['x'] }), 400, /invalid CIDR address: x/],
      [
        'POST /swarm/init',
        init({ DefaultAddrPool: ['10.0.0.0/8'], SubnetSize: 99 }),
        400,
        /subnet size is out of range: 99/,
      ],
      ['POST /swarm/init', init({ AutoLockManagers: 'x' }), 400, mistyped('AutoLockManagers', 'bool')],
      ['POST /swarm/init', init({ Spec: { Name: 'other' } }), 400, /swarm spec must be named "default"/],
      [
        'POST /swarm/init',
        init({ Spec: { CAConfig: { NodeCertExpiry: 1 } } }),
        400,
        /minimum certificate expiry time is: 1h0m0s/,
      ],
      ['POST /swarm/join', '{', 400, BAD_JSON],
      ['POST /swarm/join', { RemoteAddrs: 5 }, 400, mistyped('RemoteAddrs', '\\[\\]string')],
      [
        'POST /swarm/join',
        { ListenAddr: '0.0.0.0:2377', RemoteAddrs: ['127.0.0.1:1'], JoinToken: 'x' },
        500,
        /invalid join token/,
      ],
    ]),
  ];
}

const container = { Image: 'busybox', Command: ['sleep', '1000'] };
const refusedServices: readonly (readonly [changes: object, status: number, words: RegExp])[] = [
  [{ TaskTemplate: {} }, 400, /mismatched Runtime and \*Spec fields/],
  [{ TaskTemplate: { ContainerSpec: {} } }, 400, /image reference must be provided/],
  [{ TaskTemplate: { ContainerSpec: { Image: 'Upper' } } }, 400, /"Upper" is not a valid repository\/tag/],
  [{ TaskTemplate: { ContainerSpec: container, Runtime: 'x' } }, 400, /unsupported runtime/],
  [{ Name: 5 }, 400, mistyped('Name', 'string')],
  [{ Name: '-x' }, 400, /name must be valid as a DNS name component/],
  [{ Name: 'there' }, 409, /name conflicts with an existing object: service there already exists/],
  [{ Mode: { Replicated: {}, Global: {} } }, 400, /must specify only one service mode/],
  [{ Mode: { Replicated: { Replicas: -1 } } }, 400, mistyped('Mode.Replicated.Replicas', 'uint64')],
  [{ UpdateConfig: { FailureAction: 'x' } }, 400, /unrecognized update failure action x/],
  [{ UpdateConfig: { Order: 'x' } }, 400, /unrecognized update order x/],
  [{ UpdateConfig: { MaxFailureRatio: 2 } }, 400, /update-maxfailureratio cannot be less than 0 or bigger/],
  [{ EndpointSpec: { Mode: 'x' } }, 400, /invalid resolution mode: "x"/],
  [{ EndpointSpec: { Ports: [{ Protocol: 'x' }] } }, 400, /invalid port protocol: "x"/],
  [{ EndpointSpec: { Ports: [{ TargetPort: 70000 }] } }, 400, /invalid port 70000/],
  [{ EndpointSpec: { Mode: 'dnsrr', Ports: [{ TargetPort: 1 }] } }, 400, /can't be used with dnsrr mode/],
  [{ Networks: [{ Target: 'nosuch' }] }, 404, /network nosuch not found/],
];

const refusedTasks: readonly (readonly [changes: object, words: RegExp])[] = [
  [{ RestartPolicy: { Condition: 'x' } }, /invalid RestartCondition: "x"/],
  [{ RestartPolicy: { Delay: -1 } }, /restart-delay cannot be negative/],
  [{ Placement: { Constraints: ['x'] } }, /constraint expected one operator from ==, !=/],
  [{ Resources: { Limits: { NanoCPUs: 1 } } }, /invalid cpu value 1e-09: Must be at least 0.001/],
];

const refusedContainers: readonly (readonly [changes: object, words: RegExp])[] = [
  [{ Env: 'x' }, mistyped('TaskTemplate.ContainerSpec.Env', '\\[\\]string')],
  [{ Mounts: [{ Type: 'x', Target: '/x' }] }, /invalid MountType: "x"/],
  [{ Mounts: [{ Type: 'volume', Target: 'x' }] }, /invalid mount target, must be an absolute path/],
  [
    { Mounts: [{ Type: 'bind', Source: 'x', Target: '/x' }] },
    /invalid bind mount source, must be an absolute/,
  ],
  [{ Secrets: [{ SecretID: 'x', SecretName: 'y', File: { Name: 'z' } }] }, /secret not found: y/],
  [{ Configs: [{}] }, /invalid Config: either File or Runtime should be set/],
  [{ Healthcheck: { Interval: 1 } }, /Interval in HealthConfig cannot be less than 1ms/],
  [{ Hostname: '{{' }, /expanding hostname failed: .*unclosed action/],
];

const createService = 'POST /services/create';
const withTask = (changes: object): object => ({
  Name: 'wrong',
  TaskTemplate: { ContainerSpec: container, ...changes },
});

/** What a manager refuses, whose one service is called `there` and has never been updated. */
export function refusedByManager(): Refused[] {
  return [
    ...swarmAndNodes(),
    ...refusedServices.map(([changes, status, words]) => ({
      ask: createService,
      body: { ...withTask({}), ...changes },
      status,
      words,
    })),
    ...refusedTasks.map(([changes, words]) => ({
      ask: createService,
      body: withTask(changes),
      status: 400,
      words,
    })),
    ...refusedContainers.map(([changes, words]) => ({
      ask: createService,
      body: withTask({ ContainerSpec: { ...container, ...changes } }),
      status: 400,
      words,
    })),
    ...servicesAndTasks(),
    ...['secret', 'config'].flatMap(ofData),
    ...networks(),
  ];
}

function swarmAndNodes(): Refused[] {
  const swarm = { Name: 'default' };
  const node = { Role: 'manager', Availability: 'active' };
  return rows([
    ['POST /swarm/init', { ListenAddr: '0.0.0.0' }, 503, /This node is already part of a swarm/],
    ['POST /swarm/join', { ListenAddr: '0.0.0.0' }, 503, /This node is already part of a swarm/],
    ['POST /swarm/leave', undefined, 503, /Removing the last manager erases all current state of the swarm/],
    ['POST /swarm/unlock', { UnlockKey: 'x' }, 409, /swarm is not locked/],
    ['POST /swarm/unlock', '{', 400, BAD_JSON],
    ['POST /swarm/update', swarm, 400, /invalid swarm version ''/],
    ['POST /swarm/update?version=x', swarm, 400, /invalid swarm version 'x'/],
    ['POST /swarm/update?version=99999999999999999999999', swarm, 400, /value out of range/],
    ['POST /swarm/update?version=1', '{', 400, BAD_JSON],
    ['POST /swarm/update?version=1', { Name: 'x' }, 400, /swarm spec must be named "default"/],
    ['POST /swarm/update?version=0', swarm, 500, OUT_OF_SEQUENCE],
    [
      'POST /swarm/update?version=1&rotateWorkerToken=x',
      swarm,
      400,
      /invalid value for rotateWorkerToken: x/,
    ],
    [
      'POST /swarm/update?version=1',
      { ...swarm, EncryptionConfig: { AutoLockManagers: 'x' } },
      400,
      mistyped('EncryptionConfig.AutoLockManagers', 'bool'),
    ],
    [
      'POST /swarm/update?version=1',
      { ...swarm, CAConfig: { NodeCertExpiry: 'x' } },
      400,
      mistyped('CAConfig.NodeCertExpiry', 'time.Duration'),
    ],
    ['POST /swarm/nosuch', {}, 404, /page not found/],
    ['DELETE /swarm', undefined, 404, /page not found/],
    ['GET /nodes?filters=x', undefined, 400, /invalid filter/],
    [`GET /nodes?filters=${filters({ nosuch: ['x'] })}`, undefined, 400, /invalid filter 'nosuch'/],
    [`GET /nodes?filters=${filters({ role: ['x'] })}`, undefined, 400, /Invalid role filter: 'x'/],
    ['GET /nodes/nosuch', undefined, 404, /node nosuch not found/],
    ['DELETE /nodes/nosuch', undefined, 404, /node nosuch not found/],
    ['DELETE /nodes/self?force=1', undefined, 400, /is a cluster manager .* must be demoted to worker/],
    ['POST /nodes/self/update', node, 400, /invalid node version ''/],
    ['POST /nodes/self/update?version=0', '{', 400, BAD_JSON],
    ['POST /nodes/self/update?version=0', node, 500, OUT_OF_SEQUENCE],
    ['POST /nodes/self/update?version=0', { ...node, Role: 'x' }, 400, /invalid Role: "x"/],
    ['POST /nodes/self/update?version=0', { ...node, Availability: 'x' }, 400, /invalid Availability: "x"/],
    ['POST /nodes/self/update?version=0', { Labels: { a: 5 } }, 400, mistyped('Labels', 'string')],
    ['POST /nodes/nosuch/update?version=0', node, 404, /node nosuch not found/],
  ]);
}

function servicesAndTasks(): Refused[] {
  const same = { Name: 'there', TaskTemplate: { ContainerSpec: container } };
  const update = 'POST /services/there/update?version=VERSION';
  return rows([
    ['GET /services?filters=x', undefined, 400, /invalid filter/],
    [`GET /services?filters=${filters({ nosuch: ['x'] })}`, undefined, 400, /invalid filter 'nosuch'/],
    ['GET /services?status=x', undefined, 400, /invalid value for status: x/],
    ['GET /services/nosuch', undefined, 404, /service nosuch not found/],
    ['DELETE /services/nosuch', undefined, 404, /service nosuch not found/],
    ['POST /services/create', '{', 400, BAD_JSON],
    ['POST /services/create', '[', 400, BAD_JSON],
    ['POST /services/create', 'null', 400, /mismatched Runtime and \*Spec fields/],
    ['POST /services/create', `{"Name":"x","TaskTemplate":${'['.repeat(100_000)}`, 400, BAD_JSON],
    ['POST /services/create', { ...same, Name: 'big', Labels: { a: 'x'.repeat(3 << 20) } }, 413, /too large/],
    ['POST /services/create', { ...same, Labels: { a: 'x'.repeat(20 << 20) } }, 413, /larger than \d+ bytes/],
    [`POST /services/nosuch/update?version=1`, same, 404, /service nosuch not found/],
    ['POST /services/there/update', same, 400, /invalid service version ''/],
    ['POST /services/there/update?version=0', same, 500, OUT_OF_SEQUENCE],
    [update, '{', 400, BAD_JSON],
    [update, { ...same, Name: 'other' }, 501, /renaming services is not supported/],
    [update, { ...same, Mode: { Global: {} } }, 501, /service mode change is not allowed/],
    [`${update}&rollback=x`, same, 400, /unrecognized rollback option x/],
    [`${update}&rollback=previous`, same, 400, /does not have a previous spec/],
    [`${update}&registryAuthFrom=x`, same, 400, /invalid registryAuthFrom 'x'/],
    [`${update}&registryAuthFrom=previous-spec`, same, 400, /does not have a previous spec/],
    ['GET /services/there/logs', undefined, 400, /you must choose at least one stream/],
    [
      'GET /services/there/logs?stdout=1&tail=x',
      undefined,
      400,
      /tail value must be a positive integer or "all"/,
    ],
    ['GET /services/there/logs?stdout=1&since=x', undefined, 400, /parsing "x": invalid syntax/],
    ['GET /services/nosuch/logs?stdout=1', undefined, 404, /service nosuch not found/],
    ['GET /tasks/nosuch', undefined, 404, /task nosuch not found/],
    ['GET /tasks/nosuch/logs?stdout=1', undefined, 404, /task nosuch not found/],
    ['GET /tasks?filters=x', undefined, 400, /invalid filter/],
    [`GET /tasks?filters=${filters({ nosuch: ['x'] })}`, undefined, 400, /invalid filter 'nosuch'/],
    [
      `GET /tasks?filters=${filters({ 'desired-state': ['x'] })}`,
      undefined,
      400,
      /Invalid desired-state filter: 'x'/,
    ],
    [`GET /tasks?filters=${filters({ service: ['nosuch'] })}`, undefined, 404, /service nosuch not found/],
    [`GET /tasks?filters=${filters({ node: ['nosuch'] })}`, undefined, 404, /node nosuch not found/],
  ]);
}

function ofData(kind: string): Refused[] {
  const create = `POST /${kind}s/create`;
  return rows([
    [`GET /${kind}s?filters=x`, undefined, 400, /invalid filter/],
    [`GET /${kind}s?filters=${filters({ nosuch: ['x'] })}`, undefined, 400, /invalid filter 'nosuch'/],
    [`GET /${kind}s/nosuch`, undefined, 404, new RegExp(`${kind} nosuch not found`)],
    [`DELETE /${kind}s/nosuch`, undefined, 404, new RegExp(`${kind} nosuch not found`)],
    [create, '{', 400, BAD_JSON],
    [create, undefined, 400, /name must be provided/],
    [create, { Name: 'x' }, 400, new RegExp(`${kind} data must be larger than 0 and less than \\d+ bytes`)],
    [create, { Name: 'x', Data: 5 }, 400, mistyped('Data', '\\[\\]uint8')],
    [create, { Name: 'x', Data: '!' }, 400, /illegal base64 data at input byte 0/],
    [create, { Name: '.x', Data: 'eA==' }, 400, /invalid name, only 64 \[a-zA-Z0-9-_.\] characters allowed/],
    [`POST /${kind}s/nosuch/update`, {}, 400, new RegExp(`invalid ${kind} version`)],
    [`POST /${kind}s/nosuch/update?version=1`, {}, 404, new RegExp(`${kind} nosuch not found`)],
  ]);
}

function networks(): Refused[] {
  const overlay = { Name: 'wrong', Driver: 'overlay' };
  return rows([
    ['POST /networks/create', '{', 400, BAD_JSON],
    ['POST /networks/create', { ...overlay, Name: '' }, 400, /name is empty/],
    [
      'POST /networks/create',
      { ...overlay, IPAM: { Config: [{ Subnet: 'x' }] } },
      400,
      /invalid subnet x: invalid CIDR block notation/,
    ],
    ['GET /networks/nosuch', undefined, 404, /network nosuch not found/],
    ['DELETE /networks/nosuch', undefined, 404, /network nosuch not found/],
    ['GET /networks?filters=x', undefined, 400, /invalid filter/],
  ]);
}

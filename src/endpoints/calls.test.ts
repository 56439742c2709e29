import { Code, ConnectError } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Mode, Protocol, Verdict, type Update } from '../../proto/generated/skep/endpoints_pb.js';
import { INGRESS, nodeRow, port, serviceRow, taskRow } from '../../test/endpoints/rows.ts';
import { startInProcess, type InProcess } from '../../test/endpoints/in-process.ts';

let swarm: InProcess;
const stops: AbortController[] = [];
const SOON_MS = 50;
const UNREAD_MS = 30_000;
const ANSWER_MS = 20_000;
const WEB = serviceRow('web', 2);

beforeEach(async () => {
  swarm = await startInProcess({
    beforeRun: async (store) => {
      await store.update((tx) => {
        tx.create('service', WEB);
        tx.create('task', taskRow(WEB, 'node-1', 11, { id: 'web-1' }));
        tx.create('secret', {
          id: 'secret-1',
          spec: { annotations: { name: 'key', labels: {} }, data: Buffer.from('xyzzy-secret') },
        });
      });
    },
  });
});
afterEach(async () => {
  for (const stop of stops.splice(0)) stop.abort();
  await swarm.stop();
  expect(swarm.faults).toEqual([]);
});

function watch(nodeId: string): AsyncIterator<Update> {
  const stop = new AbortController();
  stops.push(stop);
  return swarm.client(nodeId).watch({}, { signal: stop.signal })[Symbol.asyncIterator]();
}

async function codeOf(call: Promise<unknown>): Promise<Code | undefined> {
  return call.then(
    () => undefined,
    (error: unknown) => (error instanceof ConnectError ? error.code : undefined),
  );
}

const plain = { problems: [], takenPorts: [], keepsClients: [] };

describe('a balancer that calls', () => {
  it('gets what it balances, and nothing else of services and tasks', async () => {
    const { value } = (await watch('node-1').next()) as { value: Update };
    expect(value).toMatchObject({ full: true, more: false });
    expect(value.networks.map(({ id }) => id)).toEqual([INGRESS, 'net-1']);
    expect(value.services).toMatchObject([
      {
        ...{ networkId: 'net-1', serviceId: 'web', name: 'web', virtualIp: '10.0.1.2', keepClients: false },
        backends: [{ taskId: 'web-1', nodeId: 'node-1', address: '10.0.1.11', leaving: false }],
      },
    ]);
    const text = JSON.stringify(value, (_key, one: unknown) => (typeof one === 'bigint' ? Number(one) : one));
    for (const word of ['xyzzy', 'httpd', 'image', 'env', 'secret']) expect(text).not.toContain(word);
  });

  it('hears nothing of networks that its node has no part in', async () => {
    await swarm.store.update((tx) => tx.create('node', nodeRow('node-9', 209, ['net-2'])));
    const stream = watch('node-9');
    const { value } = (await stream.next()) as { value: Update };
    expect(value.networks.map(({ id }) => id)).toEqual(['net-2']);
    expect(value.services).toEqual([]);
    await swarm.store.update((tx) => tx.create('task', taskRow(WEB, 'node-1', 12)));
    await swarm.times.advance(SOON_MS);
    await swarm.store.update((tx) => tx.create('service', serviceRow('seen', 4, { networks: ['net-2'] })));
    const next = stream.next();
    await swarm.times.advance(SOON_MS);
    const { value: second } = (await next) as { value: Update };
    expect(second.services.map(({ serviceId }) => serviceId)).toEqual(['seen']);
  });

  it('is refused when it is no member, or nothing runs', async () => {
    expect(await codeOf(watch('nobody').next())).toBe(Code.NotFound);
    expect(await codeOf(swarm.client('nobody').report({}))).toBe(Code.NotFound);
    expect(await codeOf(swarm.client('nobody').answer({}))).toBe(Code.NotFound);
    await swarm.stop();
    expect(await codeOf(watch('node-1').next())).toBe(Code.Unavailable);
    expect(await codeOf(swarm.client('node-1').report({}))).toBe(Code.Unavailable);
    await swarm.restart();
  });

  it('is told of much in several messages, each small enough, under one version', async () => {
    await swarm.store.batch(
      Array.from({ length: 60 }, (_, n) => n),
      (tx, n) => {
        const service = serviceRow(`big-${n}`, 3);
        tx.create('service', service);
      },
    );
    const tasks = Array.from({ length: 60 * 200 }, (_, n) => n);
    await swarm.store.batch(tasks, (tx, n) => {
      const service = tx.get('service', `big-${n % 60}`);
      if (service) tx.create('task', taskRow(service, 'node-1', 12));
    });
    await swarm.times.advance(SOON_MS);
    const stream = watch('node-1');
    const parts: Update[] = [];
    do parts.push(((await stream.next()) as { value: Update }).value);
    while (parts.at(-1)?.more);
    expect(parts.length).toBeGreaterThan(1);
    expect(new Set(parts.map(({ version }) => version)).size).toBe(1);
    expect(parts.map(({ full }) => full)).toEqual(parts.map((_, n) => n === 0));
    expect(parts.flatMap(({ services }) => services)).toHaveLength(61);
    expect(parts.flatMap(({ networks }) => networks)).toHaveLength(2);
  });

  it('is given up when it does not read', async () => {
    const stream = watch('node-1');
    await stream.next();
    await swarm.times.advance(UNREAD_MS + 1_000);
    for (let host = 30; host < 33; host++) {
      await swarm.store.update((tx) => tx.create('task', taskRow(WEB, 'node-1', host)));
      await swarm.times.advance(UNREAD_MS + 1_000);
    }
    expect(swarm.endpoints.reportOf('node-1')).toBeUndefined();
    expect(swarm.lines.join('')).toContain('does not read what it is sent');
  });
});

describe('a report', () => {
  it('is what is known of a node that follows', async () => {
    expect(swarm.endpoints.reportOf('node-1')).toBeUndefined();
    const stream = watch('node-1');
    const { value } = (await stream.next()) as { value: Update };
    expect(swarm.endpoints.reportOf('node-1')).toBeUndefined();
    const takenPorts = [{ protocol: Protocol.UDP, published: 53, target: 0 }];
    await swarm.client('node-1').report({
      version: value.version,
      mode: Mode.NFTABLES,
      problems: ['no nft'],
      takenPorts,
      keepsClients: [],
    });
    expect(swarm.endpoints.reportOf('node-1')).toEqual({
      version: Number(value.version),
      mode: 'nftables',
      problems: ['no nft'],
      takenPorts: [{ protocol: 'udp', published: 53 }],
      keepsClients: [],
    });
    stops.at(-1)?.abort();
    await swarm.times.advance(SOON_MS);
    expect(swarm.endpoints.reportOf('node-1')).toBeUndefined();
  });

  it('is cut to what may be kept and shown, whatever it says', async () => {
    await watch('node-1').next();
    await swarm.client('node-1').report({
      version: 2n ** 64n - 1n,
      mode: 77 as Mode,
      problems: Array.from({ length: 500 }, () => `\u001b[31m${'x'.repeat(2_000)}`),
      takenPorts: [
        { protocol: 9 as Protocol, published: 80 },
        { protocol: Protocol.TCP, published: 0 },
        { protocol: Protocol.TCP, published: 4_000_000_000 },
        ...Array.from({ length: 5_000 }, () => ({ protocol: Protocol.TCP, published: 80 })),
      ],
      keepsClients: ['__proto__', 'constructor', 'nonesuch', 'web-1', ''],
    });
    const report = swarm.endpoints.reportOf('node-1');
    expect(report?.mode).toBe('none');
    expect(report?.problems).toHaveLength(50);
    expect(report?.problems[0]).toMatch(/^ \[31mx+$/);
    expect(report?.problems[0]).toHaveLength(1_000);
    expect(report?.takenPorts).toHaveLength(1_000);
    expect(report?.takenPorts.every(({ published }) => published === 80)).toBe(true);
    expect(report?.keepsClients).toEqual(['web-1']);
    expect(report?.version).toBe(0);
  });

  it('keeps nothing of a node that does not follow, but its tasks', async () => {
    await swarm.client('node-2').report({ ...plain, mode: Mode.NFTABLES, version: 1n });
    expect(swarm.endpoints.reportOf('node-2')).toBeUndefined();
  });
});

describe('a question', () => {
  const signal = new AbortController().signal;

  it('is asked in the next update, and answered', async () => {
    const stream = watch('node-1');
    await stream.next();
    const asked = swarm.endpoints.ask('node-1', 'web', signal);
    const next = stream.next();
    await swarm.times.advance(SOON_MS);
    const { value } = (await next) as { value: Update };
    expect(value).toMatchObject({ full: false, services: [], questions: [{ serviceId: 'web' }] });
    const questionId = value.questions[0]?.id ?? '';
    const findings = [{ verdict: Verdict.FAULT, subject: 'rules', text: 'gone\u0007' }];
    await swarm.client('node-2').answer({ questionId, findings: [] });
    await swarm.client('node-1').answer({ questionId: 'nonesuch', findings });
    await swarm.client('node-1').answer({ questionId, findings });
    expect(await asked).toEqual([{ verdict: 'fault', subject: 'rules', text: 'gone ' }]);
    await swarm.client('node-1').answer({ questionId, findings });
  });

  it('is asked again over the next stream', async () => {
    const first = watch('node-1');
    await first.next();
    const asked = swarm.endpoints.ask('node-1', '', signal);
    stops.at(-1)?.abort();
    await swarm.times.advance(SOON_MS);
    const one = await swarm.balancer('node-1');
    const [question] = one.last?.questions ?? [];
    await one.answer(question?.id ?? '', 'all is well');
    expect(await asked).toMatchObject([{ text: 'all is well' }]);
  });

  it('comes to nothing where nobody follows', async () => {
    expect(await swarm.endpoints.ask('node-1', 'web', signal)).toBeUndefined();
    await watch('node-1').next();
    const asked = swarm.endpoints.ask('node-1', 'web', signal);
    await swarm.store.update((tx) => tx.remove('node', 'node-1'));
    expect(await asked).toBeUndefined();
  });

  it('is waited for a while, for as long as its asker does, and not asked any more then', async () => {
    const one = await swarm.balancer('node-1');
    const late = expect(swarm.endpoints.ask('node-1', 'web', signal)).rejects.toMatchObject({
      code: 'timeout',
    });
    await swarm.times.advance(ANSWER_MS + 1);
    await late;
    const given = new AbortController();
    const left = expect(swarm.endpoints.ask('node-1', 'web', given.signal)).rejects.toThrow('enough');
    given.abort(new Error('enough'));
    await left;
    const before = one.updates.flatMap(({ questions }) => questions).length;
    await swarm.times.advance(SOON_MS);
    expect(one.updates.flatMap(({ questions }) => questions)).toHaveLength(before);
  });

  it('is one of few at a time', async () => {
    await swarm.balancer('node-1');
    const asked = Array.from({ length: 40 }, () =>
      swarm.endpoints.ask('node-1', 'web', signal).catch((error: unknown) => error),
    );
    await swarm.times.advance(ANSWER_MS + 1);
    const codes = (await Promise.all(asked)).map((error) => (error as { code?: string }).code);
    expect(codes.filter((code) => code === 'timeout')).toHaveLength(32);
    expect(codes.filter((code) => code === 'unavailable')).toHaveLength(8);
  });
});

it('a port of each protocol has its name on the wire', async () => {
  const ports = (['tcp', 'udp', 'sctp'] as const).map((protocol, n) => port(80 + n, 80, { protocol }));
  await swarm.store.update((tx) =>
    tx.create('service', serviceRow('all', 6, { networks: [INGRESS], ports })),
  );
  await swarm.times.advance(SOON_MS);
  const { value } = (await watch('node-2').next()) as { value: Update };
  const all = value.services.find(({ serviceId }) => serviceId === 'all');
  expect(all?.ports.map(({ protocol }) => protocol)).toEqual([Protocol.TCP, Protocol.UDP, Protocol.SCTP]);
});

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from '@connectrpc/connect';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  Endpoints,
  Mode,
  Protocol,
  UpdateSchema,
  type AnswerRequest,
  type ReportRequest,
} from '../../proto/generated/skep/endpoints_pb.js';
import {
  joinSwarm,
  renewCertificate,
  startTestSwarm,
  type AgentCredentials,
  type TestSwarm,
} from '../../test/agents/index.ts';
import { MONOTONIC } from '../base/clock.ts';
import { createLog } from '../base/log.ts';
import { startSilentHost } from '../base/testing/silent-host.ts';
import type { BalancerReport, EndpointsUpdate } from '../model/index.ts';
import { callerOf } from '../swarmkit/index.ts';
import { REPLACED } from './ends.ts';
import { connectEndpoints, type RemoteEndpoints, type RemoteOptions } from './client.ts';

type Said = MessageInitShape<typeof UpdateSchema>;

/** A manager's side that says what it is told to say. */
class Script {
  readonly reports: ReportRequest[] = [];
  readonly answers: AnswerRequest[] = [];
  /** Serial numbers would do: which certificate each watch came with. */
  watches = 0;
  refusal: ConnectError | undefined;
  isSilent = false;
  /** Ends each watch after its first update. */
  ending: ConnectError | undefined;
  readonly asked: boolean[] = [];
  #queue: Said[] = [];
  #wake = Promise.withResolvers<void>();

  routes(router: ConnectRouter): void {
    router.service(Endpoints, {
      watch: ({ questionsOnly }, context) => {
        this.asked.push(questionsOnly);
        return this.#watch(context);
      },
      report: (request) => {
        if (this.refusal) throw this.refusal;
        this.reports.push(request);
        return {};
      },
      answer: (request) => {
        this.answers.push(request);
        return {};
      },
    });
  }

  say(update: Said): void {
    this.#queue.push(update);
    this.#wake.resolve();
  }

  async *#watch(context: HandlerContext) {
    if (!callerOf(context)) throw new ConnectError('nobody', Code.PermissionDenied);
    if (this.refusal) throw this.refusal;
    this.watches += 1;
    const gone = new Promise<void>((resolve) =>
      context.signal.addEventListener('abort', () => resolve(), { once: true }),
    );
    const own = this.watches;
    if (!this.isSilent) yield create(UpdateSchema, { version: 1n, full: true });
    if (this.ending) throw this.ending;
    while (!context.signal.aborted && own === this.watches) {
      for (const next of this.#queue.splice(0)) yield create(UpdateSchema, next);
      this.#wake = Promise.withResolvers<void>();
      await Promise.race([this.#wake.promise, gone]);
    }
  }
}

const TIMES = { connectMs: 10_000, firstUpdateMs: 10_000, pingMs: 5_000, pingAnswerMs: 10_000 };
const REPORT: BalancerReport = {
  version: 0,
  mode: 'nftables',
  problems: [],
  takenPorts: [],
  keepsClients: [],
};

let script: Script;
let swarm: TestSwarm;
let node: AgentCredentials;
let stop: AbortController;
let lines: string[];
const cleanups: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  script = new Script();
  swarm = await startTestSwarm({ routes: (router) => script.routes(router) });
  node = await joinSwarm({ addr: swarm.addr, token: swarm.workerToken() });
  stop = new AbortController();
  lines = [];
});

afterEach(async () => {
  stop.abort();
  for (const clean of cleanups.splice(0)) await clean();
  await swarm.close();
});

interface Following {
  readonly source: RemoteEndpoints;
  readonly updates: EndpointsUpdate[];
  /** The n-th update. */
  readonly at: (index: number) => Promise<EndpointsUpdate>;
}

function follow(options: Partial<RemoteOptions> = {}): Following {
  const source = connectEndpoints({
    managers: () => [swarm.addr],
    credentials: () => node,
    clock: { ...MONOTONIC, pause: (ms, signal) => MONOTONIC.pause(Math.min(ms, 20), signal) },
    random: () => 0,
    log: createLog('debug', { write: (text) => lines.push(text) }),
    linkTimes: TIMES,
    ...options,
  });
  const updates: EndpointsUpdate[] = [];
  const running = (async () => {
    for await (const update of source.watch(stop.signal)) updates.push(update);
  })();
  cleanups.push(() => running);
  return {
    source,
    updates,
    at: async (index) => {
      await until(() => updates.length > index);
      const found = updates[index];
      if (!found) throw new Error('no update');
      return found;
    },
  };
}

const until = (met: () => boolean): Promise<void> =>
  expect.poll(met, { timeout: 15_000, interval: 5 }).toBe(true);
const said = (words: string): number => lines.filter((line) => line.includes(words)).length;

test('updates come as they were said, with ports whose protocol is unknown left out', async () => {
  const { at } = follow();
  expect(await at(0)).toMatchObject({ version: 1, full: true, networks: [], services: [] });
  script.say({
    version: 2n,
    networks: [
      {
        ...{
          id: 'n1',
          name: 'web',
          ingress: true,
          address: '10.0.0.9/24',
          subnets: ['10.0.0.0/24'],
          mtu: 1400,
          encrypted: true,
        },
        entries: [{ nodeId: 'a', address: '10.0.0.2' }],
      },
    ],
    goneNetworks: ['n0'],
    services: [
      {
        ...{ networkId: 'n1', serviceId: 's1', name: 'web', virtualIp: '10.0.0.5', keepClients: true },
        ports: [
          { protocol: Protocol.UDP, published: 53, target: 5353 },
          { protocol: 9 as Protocol, published: 1, target: 1 },
        ],
        backends: [
          { taskId: 't1', nodeId: 'a', nodeAddress: '', address: '10.0.0.6', leaving: true },
          { taskId: 't2', nodeId: 'b', nodeAddress: '192.0.2.7', address: '10.0.0.7', keepsClients: true },
        ],
      },
    ],
    goneServices: [{ networkId: 'n1', serviceId: 's0' }],
    questions: [{ id: 'q', serviceId: 's1' }],
  });
  expect(await at(1)).toEqual({
    version: 2,
    full: false,
    networks: [
      {
        ...{
          id: 'n1',
          name: 'web',
          ingress: true,
          address: '10.0.0.9/24',
          subnets: ['10.0.0.0/24'],
          mtu: 1400,
          encrypted: true,
        },
        entries: [{ nodeId: 'a', address: '10.0.0.2' }],
      },
    ],
    goneNetworks: ['n0'],
    services: [
      {
        ...{ networkId: 'n1', serviceId: 's1', name: 'web', virtualIp: '10.0.0.5', keepClients: true },
        ports: [{ protocol: 'udp', published: 53, target: 5353 }],
        backends: [
          {
            taskId: 't1',
            nodeId: 'a',
            nodeAddress: '',
            address: '10.0.0.6',
            state: 'leaving',
            keepsClients: false,
          },
          {
            taskId: 't2',
            nodeId: 'b',
            nodeAddress: '192.0.2.7',
            address: '10.0.0.7',
            state: 'serving',
            keepsClients: true,
          },
        ],
      },
    ],
    goneServices: [{ networkId: 'n1', serviceId: 's0' }],
    questions: [{ id: 'q', serviceId: 's1' }],
  });
});

test('after a restart of its manager versions go on, and the last report is said anew for what is in force there', async () => {
  const { at, source } = follow();
  await at(0);
  script.say({ version: 7n });
  expect(await at(1)).toMatchObject({ version: 7 });
  await source.report({
    ...REPORT,
    version: 7,
    keepsClients: ['t'],
    takenPorts: [{ protocol: 'tcp', published: 80 }],
  });
  await until(() => script.reports.length === 1);
  expect(script.reports[0]).toMatchObject({
    ...{ version: 7n, mode: Mode.NFTABLES, keepsClients: ['t'] },
    takenPorts: [{ protocol: Protocol.TCP, published: 80 }],
  });
  await swarm.reopenPort();
  expect(await at(2)).toMatchObject({ version: 8, full: true });
  expect(said('has ended')).toBeGreaterThan(0);
  await until(() => script.reports.length === 2);
  // Nothing of what this manager said is in force yet.
  expect(script.reports[1]).toMatchObject({ version: 0n, keepsClients: ['t'] });
  await source.report({ ...REPORT, version: 8 });
  await until(() => script.reports.length === 3);
  expect(script.reports[2]).toMatchObject({ version: 1n });
});

test('what is said before any manager answers is said when one does', async () => {
  const { port } = swarm.server;
  await swarm.server.close(0);
  const { source, at } = follow();
  await source.report(REPORT);
  await source.answer('q', [{ verdict: 'fault', subject: 'rules', text: 'gone' }]);
  await until(() => said('No manager tells') === 1);
  expect(port).toBeGreaterThan(0);
  await swarm.reopenPort();
  await at(0);
  await until(() => script.reports.length === 1 && script.answers.length === 1);
  expect(script.answers[0]).toMatchObject({
    questionId: 'q',
    findings: [{ subject: 'rules', text: 'gone' }],
  });
});

test('a link that went dead without a word is given up, and another manager is asked', async () => {
  const relay = await startRelay(swarm);
  let managers = [relay.addr];
  const { at } = follow({ managers: () => managers, linkTimes: { ...TIMES, pingMs: 50, pingAnswerMs: 500 } });
  await at(0);
  managers = [relay.addr, swarm.addr];
  relay.freeze();
  expect(await at(1)).toMatchObject({ version: 2, full: true });
});

test.each([0, 1])(
  'a manager that is lost is not asked twice before the other, however they are listed (%i)',
  async (first) => {
    let asked = first;
    // A list that changes with each question would have the lost one at every turn, or at none.
    const { at } = follow({
      managers: () => (asked++ % 2 === 0 ? ['127.0.0.1:1', swarm.addr] : [swarm.addr, '127.0.0.1:1']),
    });
    expect(await at(0)).toMatchObject({ full: true });
  },
);

test('a host that does not take the connection is given up soon, and another manager is asked', async () => {
  const host = await startSilentHost();
  cleanups.push(() => host.close());
  const lost = host.addr;
  let managers = [lost];
  const { at } = follow({
    managers: () => managers,
    // Nothing else gives it up while this test runs.
    linkTimes: { ...TIMES, connectMs: 300, firstUpdateMs: 600_000 },
  });
  await until(() => said('it does not answer') > 0);
  managers = [lost, swarm.addr];
  expect(await at(0)).toMatchObject({ full: true });
});

test('a manager that took the connection has its time for the rest', async () => {
  const relay = await startRelay(swarm, 800);
  const { at } = follow({ managers: () => [relay.addr], linkTimes: { ...TIMES, connectMs: 100 } });
  expect(await at(0)).toMatchObject({ full: true });
  expect(relay.taken()).toBe(1);
});

test('a manager that takes the connection and says nothing is given up', async () => {
  script.isSilent = true;
  const { at } = follow({ linkTimes: { ...TIMES, firstUpdateMs: 200 } });
  await until(() => script.watches >= 2);
  expect(said('it does not answer')).toBeGreaterThan(0);
  script.isSilent = false;
  await at(0);
});

test("Docker's own managers are said once, and not asked again for long", async () => {
  script.refusal = new ConnectError('unknown service skep.v1.Endpoints', Code.Unimplemented);
  let looks = 0;
  let nowMs = 0;
  const clock = {
    nowMs: () => nowMs,
    pause: async (_ms: number, signal: AbortSignal) => {
      looks += 1;
      await MONOTONIC.pause(1, signal);
    },
  };
  const { at, source } = follow({ clock });
  await until(() => looks > 50);
  expect(said("Docker's own")).toBe(1);
  expect(said('No manager tells')).toBe(0);
  script.refusal = undefined;
  nowMs += 5 * 60_000;
  await at(0);
  expect(said("Docker's own")).toBe(1);
  await source.report(REPORT);
  await until(() => script.reports.length === 1);
});

test('a renewed certificate is shown over a new connection', async () => {
  const { at, source } = follow();
  await at(0);
  node = await renewCertificate(swarm.addr, node);
  source.reconnect();
  expect(await at(1)).toMatchObject({ version: 2, full: true });
});

test('two that follow with one certificate leave one another longer and longer turns, and say it once', async () => {
  script.ending = REPLACED();
  const pauses: number[] = [];
  const pause: typeof MONOTONIC.pause = (ms, signal) => {
    pauses.push(ms);
    return MONOTONIC.pause(1, signal);
  };
  follow({ clock: { ...MONOTONIC, pause } });
  await until(() => script.watches >= 6);
  const turns = pauses.filter((ms) => ms >= 1_000);
  expect(turns.length).toBeGreaterThanOrEqual(5);
  expect(turns).toEqual([...turns].sort((a, b) => a - b));
  expect(turns[4]).toBeGreaterThan(8 * (turns[0] ?? Infinity));
  expect(said("with this node's certificate")).toBe(1);
});

test('who needs questions alone says so', async () => {
  const source = follow().source;
  await until(() => script.asked.length === 1);
  stop.abort();
  const again = new AbortController();
  const watching = source.watch(again.signal, 'questions')[Symbol.asyncIterator]();
  await watching.next();
  expect(script.asked).toEqual([false, true]);
  again.abort();
  await watching.next();
});

test('a certificate that cannot be read, or is none, is a reason and no end', async () => {
  let broken = 0;
  const { at } = follow({
    credentials: () => {
      broken += 1;
      if (broken === 1) throw new Error('no such file');
      if (broken === 2) return { ...node, keyPem: 'nonsense' };
      if (broken === 3) return { ...node, rootPem: '' };
      return node;
    },
  });
  await at(0);
  expect(said('reason="no such file"')).toBe(1);
  expect(said('No manager tells')).toBe(3);
});

test('a server of another name is no manager', async () => {
  const { updates } = follow({
    credentials: () => node,
    managers: () => [swarm.addr.replace('127.0.0.1', 'localhost')],
  });
  await until(() => updates.length === 1);
  const imposter = await startTestSwarm();
  cleanups.push(() => imposter.close());
  const stranger = follow({ managers: () => [imposter.addr] });
  await until(() => said('No manager tells') > 0);
  expect(stranger.updates).toEqual([]);
});

test('a link that takes updates but no reports is made anew', async () => {
  const { at, source } = follow();
  await at(0);
  script.refusal = new ConnectError('the certificate of this node has expired', Code.PermissionDenied);
  await source.report(REPORT);
  await until(() => said('takes no reports') > 0);
  script.refusal = undefined;
  await at(1);
  await until(() => script.reports.length > 0);
});

interface Relay {
  readonly addr: string;
  /** How many connections there were. */
  taken(): number;
  /** Carries nothing any more, and tells nobody. */
  freeze(): void;
}

async function startRelay(target: TestSwarm, afterMs = 0): Promise<Relay> {
  let taken = 0;
  const pairs: Socket[] = [];
  const server = createServer((inward) => {
    const outward = connect(target.server.port, '127.0.0.1');
    for (const one of [inward, outward]) one.on('error', () => undefined);
    pairs.push(inward, outward);
    taken += 1;
    outward.pipe(inward);
    setTimeout(() => inward.pipe(outward), afterMs);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    for (const one of pairs) one.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return {
    addr: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    taken: () => taken,
    freeze: () => {
      for (const one of pairs) one.unpipe().pause();
    },
  };
}

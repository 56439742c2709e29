import { X509Certificate } from 'node:crypto';
import { createClient } from '@connectrpc/connect';
import { afterEach, expect, test } from 'vitest';
import { CA } from '../../proto/generated/swarmkit/ca_pb.js';
import {
  connectTo,
  fetchRoot,
  joinSwarm,
  renewCertificate,
  startTestSwarm,
  type AgentCredentials,
  type TestSwarm,
} from '../../test/agents/index.ts';
import { nodeFixture } from '../../test/simulation/index.ts';
import type { RootCa } from '../model/index.ts';
import {
  issueManagerCertificate,
  planRootChange,
  removeNode,
  rootIssuer,
  runManagerRenewal,
  runRootRotation,
} from './index.ts';

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** A swarm whose manager follows its root, and whose rotation goes on until the test ends, or until `stop`. */
async function startSwarm() {
  const swarm = await startTestSwarm();
  open.push(() => swarm.close());
  const row = { ...nodeFixture({ id: 'manager0' }), role: 'manager' as const };
  await swarm.store.update((tx) => tx.create('node', row));
  const current = await issueManagerCertificate(swarm.cluster(), 'manager0', Date.now());
  const onRenewed = (next: typeof current): void => swarm.server.setCredentials(next);
  keep((signal) => runManagerRenewal(swarm.context, { nodeId: 'manager0', current, onRenewed }, signal));
  return swarm;
}

/** Runs a loop until the test ends, or until what is returned is called. */
function keep(loop: (signal: AbortSignal) => Promise<void>): () => Promise<void> {
  const ending = new AbortController();
  const running = loop(ending.signal);
  const end = (): Promise<void> => {
    ending.abort();
    return running;
  };
  open.push(end);
  return end;
}

const rotate = ({ context }: TestSwarm): (() => Promise<void>) =>
  keep((signal) => runRootRotation(context, signal));

/** What `docker swarm ca --rotate` does. */
async function begin(swarm: TestSwarm, given: Partial<Parameters<typeof planRootChange>[1]> = {}) {
  const { rootCa } = swarm.cluster();
  const forceRotate = rootCa.lastForcedRotation + 1;
  const next = await planRootChange(rootCa, { certPem: '', keyPem: '', forceRotate, ...given }, Date.now());
  await swarm.store.update((tx) => tx.update('cluster', { ...swarm.cluster(), rootCa: next }));
  return next;
}

/** What an agent says of itself in a new session. */
async function report(swarm: TestSwarm, nodeId: string, certPem: string): Promise<void> {
  const [, ...chain] = certPem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n?/g) ?? [];
  const issuer = await rootIssuer(chain[0] ?? '');
  const { description } = nodeFixture({ id: nodeId });
  await swarm.store.update((tx) => {
    const tls = {
      trustRootPem: swarm.cluster().rootCa.certPem,
      issuerSubject: issuer.subject,
      issuerPublicKey: issuer.publicKey,
    };
    const node = tx.get('node', nodeId);
    if (node && description) tx.update('node', { ...node, description: { ...description, tls } });
  });
}

/** The manager's row stands for an engine too. */
const managerFollows = async (swarm: TestSwarm): Promise<void> =>
  report(swarm, 'manager0', (await issueManagerCertificate(swarm.cluster(), 'manager0', Date.now())).certPem);

const isAsked = (swarm: TestSwarm, id: string): Promise<void> =>
  expect.poll(() => swarm.node(id).certificate.state, WAIT).toBe('rotate');
const isDone = (swarm: TestSwarm, next: RootCa): Promise<void> =>
  expect.poll(() => swarm.cluster().rootCa.certPem, WAIT).toBe(next.rotation?.certPem);
const WAIT = { timeout: 20_000, interval: 5 };

/** Rejects where either end does not trust the other: the manager's certificate, or the agent's, of which only a valid one renews. */
const isTrusted = (swarm: TestSwarm, agent: AgentCredentials): Promise<AgentCredentials> =>
  renewCertificate(swarm.addr, agent);

/** The manager shows what its new certificate leads to, which takes a moment after each change. */
async function managerShows(swarm: TestSwarm, rootPem: string): Promise<void> {
  await expect
    .poll(async () => {
      const connection = connectTo(swarm.addr, { rootPem });
      try {
        await createClient(CA, connection.transport).getRootCACertificate({}, { timeoutMs: 5_000 });
        return 'trusted';
      } catch (error) {
        return String(error);
      } finally {
        connection.close();
      }
    }, WAIT)
    .toBe('trusted');
}

test('nodes are asked to renew, trust the old root till all have, and then the new one with new tokens', async () => {
  const swarm = await startSwarm();
  const old = swarm.cluster().rootCa;
  const token = swarm.workerToken();
  const first = await joinSwarm({ addr: swarm.addr, token });
  await report(swarm, first.nodeId, first.certPem);
  rotate(swarm);
  const next = await begin(swarm);
  await isAsked(swarm, first.nodeId);

  const renewed = await isTrusted(swarm, first);
  expect(swarm.node(first.nodeId).certificate.state).toBe('issued');
  const leaf = new X509Certificate(renewed.certPem);
  expect(leaf.verify(new X509Certificate(next.rotation?.certPem ?? '').publicKey)).toBe(true);
  await report(swarm, first.nodeId, renewed.certPem);

  // Somebody joins in the midst, by the old root and the old token.
  expect(swarm.workerToken()).toBe(token);
  expect(await fetchRoot(swarm.addr, token)).toBe(old.certPem);
  const second = await joinSwarm({ addr: swarm.addr, token });
  await managerFollows(swarm);
  expect(swarm.cluster().rootCa.certPem).toBe(old.certPem);
  await report(swarm, second.nodeId, second.certPem);
  await isDone(swarm, next);

  const { rootCa } = swarm.cluster();
  expect(rootCa.rotation).toBeUndefined();
  expect(rootCa.keyPem).toBe(next.rotation?.keyPem);
  expect(rootCa.joinTokens.worker).not.toBe(token);
  expect(rootCa.joinTokens.manager).not.toBe(old.joinTokens.manager);
  await managerShows(swarm, rootCa.certPem);
  expect(await fetchRoot(swarm.addr, swarm.workerToken())).toBe(rootCa.certPem);
  // Who had renewed is trusted, also by its old root when it was away meanwhile; who has not is nobody.
  await isTrusted(swarm, { ...renewed, rootPem: rootCa.certPem });
  await isTrusted(swarm, second);
  await expect(isTrusted(swarm, first)).rejects.toThrow('not of this swarm');
  await expect(joinSwarm({ addr: swarm.addr, token })).rejects.toThrow('fingerprint');
  await joinSwarm({ addr: swarm.addr, token: swarm.workerToken() });
});

test('who is away holds it up until it is removed, and a manager that starts anew goes on', async () => {
  const swarm = await startSwarm();
  const away = await joinSwarm({ addr: swarm.addr, token: swarm.workerToken() });
  const stop = rotate(swarm);
  const next = await begin(swarm);
  await isAsked(swarm, away.nodeId);
  await managerFollows(swarm);
  await stop();
  rotate(swarm);
  await expect.poll(() => swarm.node('manager0').certificate.state, WAIT).toBe('issued');
  expect(swarm.cluster().rootCa.rotation).toBeDefined();
  await swarm.store.update((tx) => removeNode(tx, away.nodeId, Date.now()));
  await isDone(swarm, next);
});

test('a second rotation replaces the first; giving the old root ends it', async () => {
  const swarm = await startSwarm();
  const old = swarm.cluster().rootCa;
  const agent = await joinSwarm({ addr: swarm.addr, token: swarm.workerToken() });
  rotate(swarm);
  await begin(swarm);
  await isAsked(swarm, agent.nodeId);
  const once = await isTrusted(swarm, agent);
  await report(swarm, agent.nodeId, once.certPem);
  const second = await begin(swarm);
  // The certificate of the root that never came is worth as much as before.
  const twice = await isTrusted(swarm, once);
  await report(swarm, agent.nodeId, twice.certPem);
  await managerFollows(swarm);
  await isDone(swarm, second);
  await isTrusted(swarm, { ...twice, rootPem: second.rotation?.certPem ?? '' });

  const { rootCa } = swarm.cluster();
  await begin(swarm);
  const back = await begin(swarm, { certPem: rootCa.certPem, keyPem: rootCa.keyPem });
  expect(back.rotation).toBeUndefined();
  expect(back.certPem).not.toBe(old.certPem);
  expect(back.joinTokens).toEqual(rootCa.joinTokens);
});

test('a node that missed the end of one rotation is reached during and after the next', async () => {
  const swarm = await startSwarm();
  const agent = await joinSwarm({ addr: swarm.addr, token: swarm.workerToken() });
  rotate(swarm);
  let credentials = agent;
  for (let round = 0; round < 2; round += 1) {
    const next = await begin(swarm);
    await managerShows(swarm, agent.rootPem);
    // It trusts the first root still.
    credentials = await isTrusted(swarm, { ...credentials, rootPem: agent.rootPem });
    await report(swarm, agent.nodeId, credentials.certPem);
    await managerFollows(swarm);
    await isDone(swarm, next);
  }
});

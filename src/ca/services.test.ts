import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, webcrypto, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { afterEach, describe, expect, test } from 'vitest';
import { Dispatcher } from '../../proto/generated/swarmkit/dispatcher_pb.js';
import { NodeCA } from '../../proto/generated/swarmkit/ca_pb.js';
import { NodeSpec_Availability } from '../../proto/generated/swarmkit/specs_pb.js';
import {
  connectTo,
  joinSwarm,
  makeCsr,
  renewCertificate,
  startTestSwarm,
  type AgentCredentials,
  type TestSwarm,
} from '../../test/agents/index.ts';
import { loadX509, newKeyPair } from '../certs/index.ts';
import type { Node } from '../model/index.ts';
import { requireManager, requireNode } from '../swarmkit/index.ts';
import {
  createRootCa,
  issueManagerCertificate,
  OneTimeTokens,
  removeNode,
  rotateJoinToken,
} from './index.ts';
import { issueCertificate } from './node-certificate.ts';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** The swarm's port with the CA's services, and a dispatcher that knows members only. */
async function startSwarm(): Promise<TestSwarm> {
  const swarm = await startTestSwarm({
    routes: (router, { store }) =>
      router.service(Dispatcher, {
        heartbeat: (_request, call) => {
          requireNode(call, store.view);
          return {};
        },
        updateTaskStatus: (_request, call) => {
          requireManager(call, store.view);
          return {};
        },
      }),
  });
  open.push(() => swarm.close());
  return swarm;
}

async function refusal(work: Promise<unknown>): Promise<{ code: Code; words: string }> {
  const error: unknown = await work.then(
    () => expect.fail('it was not refused'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConnectError)) throw error;
  return { code: error.code, words: error.rawMessage };
}

/** One call that only members may make. */
async function heartbeat(addr: string, credentials: AgentCredentials): Promise<void> {
  const connection = connectTo(addr, { rootPem: credentials.rootPem, credentials });
  try {
    await createClient(Dispatcher, connection.transport).heartbeat({}, { timeoutMs: 5_000 });
  } finally {
    connection.close();
  }
}

describe('joining', () => {
  test('with the worker token makes a node and a certificate that OpenSSL verifies', async () => {
    const swarm = await startSwarm();
    const { id, rootCa } = swarm.cluster();
    const availability = NodeSpec_Availability.DRAIN;
    const joined = await joinSwarm({ addr: swarm.addr, token: rootCa.joinTokens.worker, availability });
    const node = swarm.node(joined.nodeId);
    expect(node).toMatchObject({
      role: 'worker',
      spec: { role: 'worker', availability: 'drain' },
      status: { state: 'unknown' },
      certificate: { state: 'issued' },
    });
    const leaf = new X509Certificate(joined.certPem);
    expect(leaf.subject.split('\n')).toEqual([`O=${id}`, 'OU=swarm-worker', `CN=${joined.nodeId}`]);
    expect(leaf.subjectAltName).toBe(`DNS:swarm-worker, DNS:${joined.nodeId}`);
    expect(leaf.ca).toBe(false);
    expect(leaf.validToDate.getTime()).toBeGreaterThan(Date.now() + 89 * 24 * 3600_000);
    expect(leaf.validFromDate.getTime()).toBeLessThan(Date.now() - 59 * 60_000);
    verifyWithOpenssl(joined);
    await heartbeat(swarm.addr, joined);
  });

  test('with a wrong secret is refused in SwarmKit’s words and makes no node', async () => {
    const swarm = await startSwarm();
    const { worker } = swarm.cluster().rootCa.joinTokens;
    const token = `${worker.slice(0, -3)}${worker.endsWith('zzz') ? 'aaa' : 'zzz'}`;
    expect(await refusal(joinSwarm({ addr: swarm.addr, token }))).toEqual({
      code: Code.InvalidArgument,
      words: 'A valid join token is necessary to join this cluster',
    });
    expect(swarm.store.view.count('node')).toBe(0);
  });

  test('a manager token tells the user what to do and makes no node', async () => {
    const swarm = await startSwarm();
    const token = swarm.cluster().rootCa.joinTokens.manager;
    const { code, words } = await refusal(joinSwarm({ addr: swarm.addr, token }));
    expect(code).toBe(Code.FailedPrecondition);
    expect(words).toContain('docker -H unix:///run/swarmd.sock swarm join');
    expect(words).toContain('worker token');
    expect(swarm.store.view.count('node')).toBe(0);
  });

  test('a token that was rotated away is worth nothing', async () => {
    const swarm = await startSwarm();
    const old = swarm.cluster().rootCa.joinTokens.worker;
    await swarm.store.update((tx) => tx.update('cluster', rotateJoinToken(swarm.cluster(), 'worker')));
    expect((await refusal(joinSwarm({ addr: swarm.addr, token: old }))).code).toBe(Code.InvalidArgument);
    await joinSwarm({ addr: swarm.addr, token: swarm.cluster().rootCa.joinTokens.worker });
  });

  test.each([
    ['no PEM', Buffer.from('garbage')],
    ['PEM of garbage', Buffer.from(pemOf(Buffer.from('garbage')))],
    ['nothing', Buffer.alloc(0)],
    ['bytes', Buffer.from([0, 255, 128, 3])],
    ['a long one', Buffer.alloc(20_000, 'a')],
  ])('a request that is %s is refused', async (_name, csr) => {
    const swarm = await startSwarm();
    const token = swarm.cluster().rootCa.joinTokens.worker;
    // Connect sends an empty field as none at all.
    const { code, words } = await refusal(joinSwarm({ addr: swarm.addr, token, csr }));
    expect(code).toBe(Code.InvalidArgument);
    expect(words).toContain('certificate request');
    expect(swarm.store.view.count('node')).toBe(0);
  });

  test('keys that no engine makes, and a request with a broken signature, are refused', async () => {
    const swarm = await startSwarm();
    const token = swarm.cluster().rootCa.joinTokens.worker;
    const rsa = await webcrypto.subtle.generateKey(
      {
        name: 'RSASSA-PKCS1-v1_5',
        modulusLength: 2048,
        publicExponent: new Uint8Array([1, 0, 1]),
        hash: 'SHA-256',
      },
      true,
      ['sign', 'verify'],
    );
    const x509 = await loadX509();
    const ofRsa = await x509.Pkcs10CertificateRequestGenerator.create({
      keys: rsa,
      signingAlgorithm: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    });
    const good = (await makeCsr(await newKeyPair())).toString();
    const der = Buffer.from(good.split('\n').slice(1, -2).join(''), 'base64');
    der[der.length - 5] = (der[der.length - 5] ?? 0) ^ 1;
    for (const csr of [ofRsa.toString('pem'), pemOf(der)]) {
      const { code } = await refusal(joinSwarm({ addr: swarm.addr, token, csr: Buffer.from(csr) }));
      expect(code).toBe(Code.InvalidArgument);
    }
    expect(swarm.store.view.count('node')).toBe(0);
  });

  test('asked again with the same request before the node was heard of, it is the same node; later it is refused', async () => {
    const swarm = await startSwarm();
    const token = swarm.cluster().rootCa.joinTokens.worker;
    const keys = await newKeyPair();
    const csr = await makeCsr(keys);
    const first = await joinSwarm({ addr: swarm.addr, token, keys, csr });
    const again = await joinSwarm({ addr: swarm.addr, token, keys, csr });
    expect(again.nodeId).toBe(first.nodeId);
    expect(swarm.store.view.count('node')).toBe(1);
    await swarm.store.update((tx) =>
      tx.update('node', { ...swarm.node(first.nodeId), description: SOME_DESCRIPTION }),
    );
    const { code, words } = await refusal(joinSwarm({ addr: swarm.addr, token, keys, csr }));
    expect(code).toBe(Code.InvalidArgument);
    expect(words).toContain('there already');
    expect(swarm.store.view.count('node')).toBe(1);
  });
});

describe('one-time tokens', () => {
  test('yield the node they were made for, to one key', async () => {
    const swarm = await startSwarm();
    await addManagerRow(swarm, 'manager0');
    const token = swarm.oneTime.make(swarm.cluster().rootCa.certPem, 'manager0');
    const keys = await newKeyPair();
    const joined = await joinSwarm({ addr: swarm.addr, token, keys });
    expect(joined.nodeId).toBe('manager0');
    expect(new X509Certificate(joined.certPem).subject).toContain('OU=swarm-worker');
    expect(swarm.node('manager0').role).toBe('manager');
    await heartbeat(swarm.addr, joined);
    const other = await refusal(joinSwarm({ addr: swarm.addr, token }));
    expect(other.code).toBe(Code.InvalidArgument);
    expect((await joinSwarm({ addr: swarm.addr, token, keys })).nodeId).toBe('manager0');
  });

  test('end after a while, and are of no use without the row', async () => {
    let now = 0;
    const tokens = new OneTimeTokens(() => now);
    const token = tokens.make('root', 'n');
    expect(tokens.redeem(token, 'k')).toBe('n');
    now = 120_000;
    expect(tokens.redeem(token, 'k')).toBeUndefined();
    const swarm = await startSwarm();
    const forNobody = swarm.oneTime.make(swarm.cluster().rootCa.certPem, 'nobody');
    expect((await refusal(joinSwarm({ addr: swarm.addr, token: forNobody }))).code).toBe(Code.NotFound);
    expect(swarm.store.view.count('node')).toBe(0);
  });
});

describe('renewal', () => {
  test('keeps the node and its role, and clears the wish for it', async () => {
    const swarm = await startSwarm();
    const joined = await joinSwarm({ addr: swarm.addr, token: swarm.cluster().rootCa.joinTokens.worker });
    const node = swarm.node(joined.nodeId);
    await swarm.store.update((tx) =>
      tx.update('node', { ...node, certificate: { ...node.certificate, state: 'rotate' } }),
    );
    const renewed = await renewCertificate(swarm.addr, joined);
    expect(renewed.nodeId).toBe(joined.nodeId);
    expect(renewed.certPem).not.toBe(joined.certPem);
    expect(swarm.node(joined.nodeId).certificate.state).toBe('issued');
    await heartbeat(swarm.addr, renewed);
  });

  test('without a certificate or a token is refused', async () => {
    const swarm = await startSwarm();
    const rootPem = swarm.cluster().rootCa.certPem;
    const connection = connectTo(swarm.addr, { rootPem });
    open.push(() => connection.close());
    const client = createClient(NodeCA, connection.transport);
    const asked = client.issueNodeCertificate({ csr: await makeCsr(await newKeyPair()) });
    expect(await refusal(asked)).toEqual({
      code: Code.PermissionDenied,
      words: 'no client certificates in request',
    });
    const status = await refusal(client.nodeCertificateStatus({ nodeId: 'nobody' }));
    expect(status.code).toBe(Code.NotFound);
  });

  test('with the key of another node is refused', async () => {
    const swarm = await startSwarm();
    const token = swarm.cluster().rootCa.joinTokens.worker;
    const keys = await newKeyPair();
    await joinSwarm({ addr: swarm.addr, token, keys });
    const other = await joinSwarm({ addr: swarm.addr, token });
    const connection = connectTo(swarm.addr, { rootPem: other.rootPem, credentials: other });
    open.push(() => connection.close());
    const asked = createClient(NodeCA, connection.transport).issueNodeCertificate({
      csr: await makeCsr(keys),
    });
    expect((await refusal(asked)).code).toBe(Code.InvalidArgument);
  });
});

describe('members', () => {
  test('a removed node is refused everywhere with its certificate, and comes back as a new node with a token', async () => {
    const swarm = await startSwarm();
    const token = swarm.cluster().rootCa.joinTokens.worker;
    const joined = await joinSwarm({ addr: swarm.addr, token });
    await swarm.store.update((tx) => expect(removeNode(tx, joined.nodeId, Date.now())).toBe(true));
    const words = `Permission denied: node ${joined.nodeId} was removed from swarm`;
    const denied = { code: Code.PermissionDenied, words };
    expect(await refusal(heartbeat(swarm.addr, joined))).toEqual(denied);
    expect(await refusal(renewCertificate(swarm.addr, joined))).toEqual(denied);
    expect((await joinSwarm({ addr: swarm.addr, token })).nodeId).not.toBe(joined.nodeId);
  });

  test('a certificate of another swarm, of a node nobody knows, and an expired one are refused', async () => {
    const swarm = await startSwarm();
    const { rootCa } = swarm.cluster();
    const wish = { nodeId: 'stranger', role: 'worker', ...(await certificateKeys()) } as const;
    const of = async (issuer: Parameters<typeof issueCertificate>[0], nowMs = Date.now()) => ({
      nodeId: 'stranger',
      keyPem: wish.keyPem,
      rootPem: rootCa.certPem,
      certPem: await issueCertificate(issuer, { ...wish, nowMs }),
    });
    const cluster = swarm.cluster();
    const rogue = await of({ ...cluster, rootCa: await createRootCa(Date.now()) });
    expect((await refusal(heartbeat(swarm.addr, rogue))).code).toBe(Code.PermissionDenied);
    expect((await refusal(heartbeat(swarm.addr, await of(cluster)))).code).toBe(Code.NotFound);
    const elsewhere = await refusal(heartbeat(swarm.addr, await of({ ...cluster, id: 'elsewhere' })));
    expect(elsewhere.words).toContain('not part of organization');
    const late = await of(cluster, Date.now() - 100 * 24 * 3600_000);
    for (const asked of [heartbeat(swarm.addr, late), renewCertificate(swarm.addr, late)]) {
      const { code, words } = await refusal(asked);
      expect(code).toBe(Code.PermissionDenied);
      expect(words).toContain('expired');
    }
  });

  test('an engine that runs renews an expired certificate by its key, and does nothing else with it', async () => {
    const swarm = await startSwarm();
    const joined = await joinSwarm({ addr: swarm.addr, token: swarm.cluster().rootCa.joinTokens.worker });
    const { nodeId } = joined;
    const spki = new X509Certificate(joined.certPem).publicKey.export({ type: 'spki', format: 'der' });
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
    const publicKey = await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']);
    const nowMs = Date.now() - 100 * 24 * 3600_000;
    const expired = async (wish: { readonly publicKey: webcrypto.CryptoKey }, of = swarm.cluster()) =>
      issueCertificate(of, { nodeId, role: 'worker', publicKey: wish.publicKey, nowMs });
    const late = { ...joined, certPem: await expired({ publicKey }) };
    const hold = (certificate: Node['certificate']): Promise<unknown> =>
      swarm.store.update((tx) => tx.update('node', { ...swarm.node(nodeId), certificate }));
    await hold({ ...swarm.node(nodeId).certificate, certPem: late.certPem });

    expect(await refusal(heartbeat(swarm.addr, late))).toMatchObject({ code: Code.PermissionDenied });
    const stolen = await certificateKeys();
    const rogue = {
      ...swarm.cluster(),
      rootCa: { ...swarm.cluster().rootCa, ...(await createRootCa(nowMs)) },
    };
    for (const of of [swarm.cluster(), rogue]) {
      const other = { ...joined, ...stolen, certPem: await expired(stolen, of) };
      expect(await refusal(renewCertificate(swarm.addr, other))).toMatchObject({
        code: Code.PermissionDenied,
      });
    }
    // The first answer may be lost.
    await renewCertificate(swarm.addr, late);
    const renewed = await renewCertificate(swarm.addr, late);
    expect(renewed.nodeId).toBe(nodeId);
    await heartbeat(swarm.addr, renewed);
    // One key later the old one is worth nothing.
    const next = await renewCertificate(swarm.addr, renewed);
    const { code, words } = await refusal(renewCertificate(swarm.addr, late));
    expect(code).toBe(Code.PermissionDenied);
    expect(words).toContain('docker swarm leave');
    await swarm.store.update((tx) => removeNode(tx, nodeId, Date.now()));
    expect((await refusal(renewCertificate(swarm.addr, next))).words).toContain('was removed');
  });

  test('a manager’s certificate counts while the stored role is manager, and is never exchanged here', async () => {
    const swarm = await startSwarm();
    await addManagerRow(swarm, 'manager0');
    const credentials = {
      nodeId: 'manager0',
      ...(await issueManagerCertificate(swarm.cluster(), 'manager0', Date.now())),
    };
    const connection = connectTo(swarm.addr, { rootPem: credentials.rootPem, credentials });
    open.push(() => connection.close());
    const client = createClient(Dispatcher, connection.transport);
    await client.updateTaskStatus({});
    await swarm.store.update((tx) => tx.update('node', { ...swarm.node('manager0'), role: 'worker' }));
    expect((await refusal(client.updateTaskStatus({}))).code).toBe(Code.PermissionDenied);
    expect((await refusal(renewCertificate(swarm.addr, credentials))).code).toBe(Code.PermissionDenied);
    const leaf = new X509Certificate(credentials.certPem);
    expect(leaf.subjectAltName).toBe('DNS:swarm-manager, DNS:manager0, DNS:swarm-ca');
  });
});

const SOME_DESCRIPTION: NonNullable<Node['description']> = {
  hostname: 'host',
  platform: { architecture: 'x86_64', os: 'linux' },
  resources: { nanoCpus: 1, memoryBytes: 1, generic: [] },
  engineVersion: '28.5.2',
  engineLabels: {},
  plugins: [],
  tls: { trustRootPem: '', issuerSubject: '', issuerPublicKey: '' },
  fips: false,
};

async function addManagerRow({ store }: TestSwarm, id: string): Promise<void> {
  await store.update((tx) =>
    tx.create('node', {
      id,
      spec: { annotations: { name: '', labels: {} }, role: 'manager', availability: 'active' },
      role: 'manager',
      status: { state: 'unknown', message: '', addr: '' },
      certificate: { csrPem: '', certPem: '', state: 'issued' },
      attachments: [],
    }),
  );
}

async function certificateKeys(): Promise<{ publicKey: webcrypto.CryptoKey; keyPem: string }> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  return {
    publicKey: await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']),
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function pemOf(der: Buffer): string {
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
}

/** What Go's and OpenSSL's verifiers agree on: chain, purposes, names. */
function verifyWithOpenssl({ certPem, rootPem, nodeId }: AgentCredentials): void {
  const folder = mkdtempSync(join(tmpdir(), 'skep-ca-'));
  try {
    writeFileSync(join(folder, 'root.pem'), rootPem);
    writeFileSync(join(folder, 'leaf.pem'), certPem);
    for (const purpose of ['sslclient', 'sslserver']) {
      const args = ['-x509_strict', '-purpose', purpose, '-verify_hostname', nodeId];
      const out = execFileSync('openssl', ['verify', '-CAfile', 'root.pem', ...args, 'leaf.pem'], {
        cwd: folder,
      });
      expect(out.toString()).toContain('leaf.pem: OK');
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

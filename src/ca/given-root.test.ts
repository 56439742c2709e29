import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Cluster, RootCa } from '../model/index.ts';
import {
  createCluster,
  createRootCa,
  issueManagerCertificate,
  planRootChange,
  rootIssuer,
  type RootWish,
} from './index.ts';

/** Roots as users have them: made by openssl. */
const folder = mkdtempSync(join(tmpdir(), 'skep-root-'));
afterAll(() => rmSync(folder, { recursive: true }));

const cluster = (await createCluster({}, Date.now())) as Cluster;
const { rootCa } = cluster;

const openssl = (...args: string[]): void => {
  execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
};
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

/** A root by options of `openssl req`. */
function made(...options: string[]): { certPem: string; keyPem: string } {
  const subject = options.includes('-subj') ? [] : ['-subj', '/O=Us/CN=our root'];
  const days = options.includes('-days') ? [] : ['-days', '800'];
  const rest = ['-nodes', '-keyout', 'made.key', '-out', 'made.pem'];
  const kind = options.includes('-newkey') ? [] : ['-newkey', 'ec', ...P256];
  openssl('req', '-x509', '-sha256', ...kind, ...subject, ...days, ...rest, ...options);
  return { certPem: read('made.pem'), keyPem: read('made.key') };
}
const P256 = ['-pkeyopt', 'ec_paramgen_curve:P-256'];

const plan = (wish: Partial<RootWish>, of: RootCa = rootCa): Promise<RootCa> =>
  planRootChange(of, { certPem: '', keyPem: '', forceRotate: 0, ...wish }, Date.now());

test('nothing is changed where nothing is asked, and by the root that is there', async () => {
  expect(await plan({})).toBe(rootCa);
  expect(await plan(rootCa)).toEqual(rootCa);
});

test.each([
  ['RSA', ['-newkey', 'rsa:2048']],
  ['P-384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-sha384']],
  ['P-256 under the name of the present root', ['-subj', '/CN=swarm-ca']],
])(
  'a root of %s signs: what it signs is good for who trusts the old one, and for who trusts it',
  async (_, options) => {
    const given = made(...options);
    const next = await plan(given);
    expect(next).toMatchObject({ certPem: rootCa.certPem, joinTokens: rootCa.joinTokens });
    const { certPem } = await issueManagerCertificate({ ...cluster, rootCa: next }, 'n', Date.now());
    const [leaf = '', cross = '', ...more] =
      certPem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n?/g) ?? [];
    expect(more).toEqual([]);
    for (const [name, pem] of [
      ['leaf.pem', leaf],
      ['cross.pem', cross],
      ['old.pem', rootCa.certPem],
    ] as const)
      writeFileSync(join(folder, name), pem);
    writeFileSync(join(folder, 'new.pem'), given.certPem);
    for (const trusted of ['old.pem', 'new.pem']) {
      const purposes = ['-purpose', 'sslserver', '-verify_hostname', 'swarm-manager'];
      openssl('verify', ...purposes, '-CAfile', trusted, '-untrusted', 'cross.pem', 'leaf.pem');
    }
    // What agents will say of their certificate is what clients are shown.
    expect(await rootIssuer(cross)).toEqual(await rootIssuer(next.rotation?.certPem ?? ''));
    expect(next.rotation?.certPem).toBe(new X509Certificate(given.certPem).toString());
    // The same again begins nothing, whatever form it has.
    const again = await plan({ ...given, certPem: `\n${given.certPem}\n\n` }, next);
    expect(again.rotation).toEqual(next.rotation);
    // And the next one can be signed by it.
    const { rotation, ...rest } = next;
    expect((await plan({ forceRotate: 1 }, { ...rest, ...rotation })).rotation?.crossPem).toContain('BEGIN');
  },
);

const foreign = await createRootCa(Date.now());
test.each<[string, () => Partial<RootWish>]>([
  ['certificate key mismatch', () => ({ certPem: foreign.certPem, keyPem: rootCa.keyPem })],
  ['malformed private key', () => ({ certPem: foreign.certPem, keyPem: 'x' })],
  ['invalid root certificates', () => ({ certPem: 'x', keyPem: foreign.keyPem })],
  ['cannot contain multiple certificates', () => ({ ...foreign, certPem: foreign.certPem + rootCa.certPem })],
  ['expires too soon', () => made('-days', '300')],
  ['pathlen:0', () => made('-addext', 'basicConstraints=critical,CA:TRUE,pathlen:0')],
  ['it is not a CA', () => made('-addext', 'basicConstraints=critical,CA:FALSE')],
  ['allow that (keyCertSign)', () => made('-addext', 'keyUsage=critical,digitalSignature')],
  ['unsupported signature algorithm', () => made('-sha1')],
  ['too short', () => made('-newkey', 'rsa:1024')],
  ['unsupported signature algorithm: Ed', () => made('-newkey', 'ed25519')],
  ['Cannot update to a cert with an identical key', () => madeWith(rootCa.keyPem)],
  ['no subject key identifier', () => made('-subj', '/CN=swarm-ca', '-addext', 'subjectKeyIdentifier=none')],
])('%s', async (words, wish) => {
  await expect(plan(wish())).rejects.toThrow(words);
});

function madeWith(keyPem: string): { certPem: string; keyPem: string } {
  writeFileSync(join(folder, 'held.key'), keyPem);
  const args = ['-key', 'held.key', '-subj', '/CN=again', '-days', '800', '-out', 'held.pem'];
  openssl('req', '-x509', '-sha256', ...args);
  return { certPem: read('held.pem'), keyPem };
}

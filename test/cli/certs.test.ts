import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { certify, parseNodeNames, type CertifyReport } from '../../src/certs/index.ts';
import { run as runCommand, tryRun } from '../hosts/index.ts';
import { run, SWARM } from './swarm-process.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'swarm-certs-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const at = (...path: string[]): string => join(folder, ...path);
const openssl = (...args: string[]): Promise<string> => runCommand('openssl', args);

/** Holds a certificate against a CA as strictly as OpenSSL can, as what it is to be used for. */
const verify = (ca: string, cert: string, purpose: 'sslserver' | 'sslclient'): Promise<string> =>
  openssl('verify', '-x509_strict', '-purpose', purpose, '-CAfile', ca, cert);

/** What `swarm certs --ca` does, without the cost of a process. */
function certifyIn(caFolder: string, host: string, outFolder = caFolder): Promise<CertifyReport> {
  const nodes = [parseNodeNames(host)];
  return certify({ caFolder, outFolder, nodes, days: 825, force: false, nowMs: Date.now() });
}

/** Where days and the folder differ from run to run. */
const masked = (text: string): string =>
  text.replaceAll(folder, '/certs').replace(/\d{4}-\d\d-\d\d/g, 'YYYY-MM-DD');

test('what it prints: what there is now, and the lines to type next', async () => {
  const first = await run(['certs', '--ca', at('new'), '--host', 'core-01,192.168.1.11', '--host=fd00::2']);
  expect(first).toMatchObject({ code: 0, stderr: '' });
  await expect(masked(first.stdout)).toMatchFileSnapshot('certs-made.golden');
  chmodSync(at('new', 'ca-key.pem'), 0o640);
  const again = await run(['certs', 'core-03', `--ca=${at('new')}`, '--host', 'core-01', '--days=20']);
  expect(again).toMatchObject({ code: 0, stderr: '' });
  await expect(masked(again.stdout)).toMatchFileSnapshot('certs-kept.golden');
  expect((await run(['certs', '--ca', at('new'), '--host', 'core-03'])).stdout).toContain(
    'warning: the certificate of core-03 ends soon: --force makes it anew',
  );
});

test('openssl finds nothing to complain about', async () => {
  await certifyIn(at('strict'), 'core-01,10.0.0.1,fd00::1', at('out'));
  const ca = at('strict', 'ca.pem');
  await verify(ca, at('out', 'core-01', 'cert.pem'), 'sslserver');
  await verify(ca, at('out', 'core-01', 'cert.pem'), 'sslclient');
  await verify(at('out', 'client', 'ca.pem'), at('out', 'client', 'cert.pem'), 'sslclient');
  expect(
    (
      await tryRun('openssl', [
        'verify',
        '-purpose',
        'sslserver',
        '-CAfile',
        ca,
        at('out', 'client', 'cert.pem'),
      ])
    ).code,
  ).not.toBe(0);
  for (const option of [
    ['-verify_hostname', 'core-01'],
    ['-verify_ip', '10.0.0.1'],
    ['-verify_ip', 'fd00::1'],
  ])
    await openssl('verify', ...option, '-CAfile', ca, at('out', 'core-01', 'cert.pem'));
  expect(existsSync(at('strict', 'core-01'))).toBe(false);
  expect(statSync(at('out')).mode & 0o777).toBe(0o700);
});

const KEYS: readonly (readonly [string, string, readonly string[]])[] = [
  ['RSA, PKCS#8', 'ca-key.pem', ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048']],
  ['RSA, PKCS#1', 'ca-priv-key.pem', ['genpkey', '-algorithm', 'RSA']],
  ['P-256, SEC1 behind its parameters', 'ca-key.pem', ['ecparam', '-name', 'prime256v1', '-genkey']],
  ['P-384, SEC1', 'ca-key.pem', ['ecparam', '-name', 'secp384r1', '-genkey', '-noout']],
  [
    'P-521, PKCS#8',
    'ca-priv-key.pem',
    ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
  ],
];

/** A CA as people have it: with a name in several kinds of strings, and a key from an openssl line. */
async function makeForeign(name: string, keyName: string, keyArgs: readonly string[]): Promise<void> {
  mkdirSync(at(name));
  await openssl(...keyArgs, '-out', at(name, keyName));
  if (name.includes('PKCS#1'))
    await openssl('rsa', '-traditional', '-in', at(name, keyName), '-out', at(name, keyName));
  const subject = '/C=DE/O=Bienenkörbe/CN=The CA/emailAddress=ca@example.com';
  const usage = ['-addext', 'keyUsage=critical,keyCertSign'];
  const request = ['req', '-x509', '-utf8', '-subj', subject, '-days', '30', ...usage];
  await openssl(...request, '-key', at(name, keyName), '-out', at(name, 'ca.pem'));
}

test.each(KEYS)('takes a CA that is there: %s', async (kind, keyName, keyArgs) => {
  await makeForeign(kind, keyName, keyArgs);
  const before = readFileSync(at(kind, 'ca.pem'));
  expect((await certifyIn(at(kind), 'core-01')).authority.made).toBe(false);
  expect(readFileSync(at(kind, 'ca.pem'))).toEqual(before);
  await verify(at(kind, 'ca.pem'), at(kind, 'core-01', 'cert.pem'), 'sslserver');
  // Go compares the bytes of the names, where OpenSSL is lenient.
  const nameOf = async (cert: string, which: 'subject' | 'issuer'): Promise<string> =>
    (await openssl('x509', '-in', cert, '-noout', `-${which}`, '-nameopt', 'dump_der,dump_all')).replace(
      `${which}=`,
      '',
    );
  expect(await nameOf(at(kind, 'core-01', 'cert.pem'), 'issuer')).toBe(
    await nameOf(at(kind, 'ca.pem'), 'subject'),
  );
});

test('a bundle goes to the nodes as it is; the certificate that the key fits signs', async () => {
  await makeForeign('first', 'ca-key.pem', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout']);
  await makeForeign('second', 'ca-key.pem', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout']);
  mkdirSync(at('bundle'));
  await runCommand('sh', [
    '-c',
    'cat "$1" "$2" > "$3"',
    '-',
    at('first', 'ca.pem'),
    at('second', 'ca.pem'),
    at('bundle', 'ca.pem'),
  ]);
  copyFileSync(at('second', 'ca-key.pem'), at('bundle', 'ca-key.pem'));
  await certifyIn(at('bundle'), 'core-01');
  expect(readFileSync(at('bundle', 'core-01', 'ca.pem'))).toEqual(readFileSync(at('bundle', 'ca.pem')));
  await verify(at('second', 'ca.pem'), at('bundle', 'core-01', 'cert.pem'), 'sslserver');
});

test('refuses a CA that cannot sign, and says why', async () => {
  const ec = ['ecparam', '-name', 'prime256v1', '-genkey', '-noout'];
  await makeForeign('base', 'ca-key.pem', ec);
  await makeForeign('stranger', 'ca-key.pem', ec);
  await makeForeign('weak', 'ca-key.pem', [
    'genpkey',
    '-algorithm',
    'RSA',
    '-pkeyopt',
    'rsa_keygen_bits:1024',
  ]);
  await makeForeign('edwards', 'ca-key.pem', ['genpkey', '-algorithm', 'ed25519']);
  const like = (name: string): void => {
    mkdirSync(at(name));
    copyFileSync(at('base', 'ca.pem'), at(name, 'ca.pem'));
  };
  ['locked', 'locked-rsa', 'keyless', 'mixed'].forEach(like);
  await openssl(
    'pkcs8',
    '-topk8',
    '-in',
    at('base', 'ca-key.pem'),
    '-passout',
    'pass:x',
    '-out',
    at('locked', 'ca-key.pem'),
  );
  await openssl(
    'genrsa',
    '-traditional',
    '-aes128',
    '-passout',
    'pass:x',
    '-out',
    at('locked-rsa', 'ca-key.pem'),
    '2048',
  );
  copyFileSync(at('stranger', 'ca-key.pem'), at('mixed', 'ca-priv-key.pem'));
  mkdirSync(at('alone'));
  await openssl('genrsa', '-out', at('alone', 'ca-key.pem'), '2048');
  mkdirSync(at('leaf'));
  await certifyIn(at('made'), 'x');
  copyFileSync(at('made', 'x', 'cert.pem'), at('leaf', 'ca.pem'));
  copyFileSync(at('made', 'x', 'key.pem'), at('leaf', 'ca-key.pem'));
  for (const [name, why] of [
    [
      'locked',
      'ca-key.pem: no open private key in it. Key encrypted? To take the password off: openssl pkey -in ',
    ],
    ['locked-rsa', 'ca-key.pem: no open private key in it. Key encrypted?'],
    ['keyless', 'ca.pem has no key beside it: ca-key.pem or ca-priv-key.pem is needed to sign'],
    ['mixed', 'ca-priv-key.pem is not the key of '],
    ['alone', 'ca-key.pem has no ca.pem beside it: put its certificate there'],
    ['leaf', 'ca.pem: not a CA certificate'],
    ['weak', 'ca-key.pem: an RSA key of 1024 bits is too short'],
    ['edwards', 'ca-key.pem: RSA and ECDSA (P-256, P-384, P-521) keys can sign here'],
  ] as const) {
    await expect(certifyIn(at(name), 'core-01')).rejects.toThrow(why);
    expect(existsSync(at(name, 'core-01'))).toBe(false);
  }
});

test.concurrent.each([
  ['certs', '--ca must name the folder of the CA'],
  ['certs --ca @a core-01', 'nodes are named by --host: --host core-01'],
  ['certs --ca @a --host a --days 0', '--days should be a number from 1 to 36500'],
])('%s', async (line, words) => {
  const { code, stderr } = await run(line.replaceAll('@', `${folder}/`).split(' '));
  expect(code).toBe(2);
  expect(stderr).toContain(words);
  expect(existsSync(at('a'))).toBe(false);
});

test('a run that is killed at any moment leaves nothing half made', async () => {
  const whole = ['ca.pem', 'cert.pem', 'key.pem'];
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const ca = at(`killed-${attempt}`);
    const args = ['certs', '--ca', ca, '--host', 'a', 'b', 'c'];
    // Each is cut short a little later than the one before, the first ones before they write.
    await tryRun('timeout', ['-s', 'KILL', `0.${3 + 2 * attempt}`, SWARM, ...args]);
    for (const name of ['a', 'b', 'c', 'client'])
      if (existsSync(join(ca, name)))
        for (const file of whole) expect(existsSync(join(ca, name, file))).toBe(true);
    expect(await run(args)).toMatchObject({ code: 0 });
  }
});

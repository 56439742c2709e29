import { isIP } from 'node:net';
import { join } from 'node:path';
import { dayOf, type CertifiedPair, type CertifyReport } from '../certs/index.ts';

/** Where the lines to type put a node's files. */
const ON_NODE = '/etc/docker/tls';
const SOON_MS = 30 * 24 * 3600_000;

/** What `swarm certs` prints: what there is now, until when and for which names, and what to type next. */
export function certsPage(report: CertifyReport, nowMs: number): string {
  const { authority, nodes, client } = report;
  const rows = [
    { ...authority, name: 'CA', names: [authority.certPath] },
    ...nodes,
    { ...client, names: [client.folder] },
  ];
  const width = Math.max(...rows.map(({ name }) => name.length));
  const lines = [
    ...rows.map(
      ({ name, made, until, names }) =>
        `${name.padEnd(width)}  ${made ? 'made' : 'kept'}, valid until ${dayOf(until)}  ${names.join(', ')}`,
    ),
    ...warnings(report, nowMs),
    '',
    `${authority.keyPath} signs certificates: keep it off the nodes.`,
    '',
    ...(nodes.length > 0 ? nodeLines(nodes) : []),
    ...clientLines(report),
  ];
  return lines.map((text) => `${text}\n`).join('');
}

function warnings({ authority, nodes, client }: CertifyReport, nowMs: number): string[] {
  const soon = [...nodes, client].filter(({ made, until }) => !made && until.getTime() < nowMs + SOON_MS);
  return [
    ...(authority.keyIsOpen
      ? [`warning: others than its owner can read the CA's key: chmod 600 ${quoted(authority.keyPath)}`]
      : []),
    ...soon.map(({ name }) => `warning: the certificate of ${name} ends soon: --force makes it anew`),
  ];
}

function nodeLines(nodes: CertifyReport['nodes']): string[] {
  const copies = nodes.map((node) => {
    const host = addressOf(node);
    const copy = `scp -p ${quoted(node.folder)}/*.pem root@${bracketed(host)}:${ON_NODE}/`;
    return `ssh root@${host} mkdir -p -m 700 ${ON_NODE} && ${copy}`;
  });
  return [
    '# to every node its own files, and the engine there started with them',
    ...copies,
    `dockerd -H fd:// -H tcp://0.0.0.0:2376 ${tlsFlags(ON_NODE)}`,
    '',
    '# a manager, on any of these nodes, with the same files',
    `swarm manage -H :3376 ${tlsFlags(ON_NODE)} DISCOVERY`,
    '',
  ];
}

function clientLines({ nodes: [first], client }: CertifyReport): string[] {
  const host = bracketed(first ? addressOf(first) : 'MANAGER');
  return [
    '# docker on this machine, against the manager',
    `export DOCKER_HOST=tcp://${host}:3376 DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=${quoted(client.folder)}`,
    'docker info',
  ];
}

/** How a node is reached: by an address, which needs no name server, where it was given one. */
function addressOf({ name, names }: CertifiedPair): string {
  const addresses = names.filter((one) => isIP(one) > 0 && one !== '127.0.0.1' && one !== '::1');
  return addresses[0] ?? names[0] ?? name;
}

function tlsFlags(folder: string): string {
  const file = (name: string): string => join(folder, name);
  return `--tlsverify --tlscacert=${file('ca.pem')} --tlscert=${file('cert.pem')} --tlskey=${file('key.pem')}`;
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** A path as a shell reads it. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

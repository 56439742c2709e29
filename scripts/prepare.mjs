// Makes a machine ready for `npm start` and `npm test`. Plain JavaScript that any Node from 18 on can start, because
// on a fresh clone there is nothing else yet.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * What real Docker hosts need from the system: how to see that it is there, and the Debian package that brings it.
 * Some is only `for` the tests or the measurements on them.
 */
const systemNeeds = [
  { package: 'docker.io', has: () => onPath('dockerd') },
  // From Debian 13 on the CLI is a package of its own; before, the next line finds it in docker.io.
  { package: 'docker-cli', has: () => onPath('docker'), after: 'docker.io' },
  { package: 'docker-compose', has: () => onPath('docker-compose') },
  { package: 'runc', has: () => onPath('runc') },
  { package: 'iproute2', has: () => onPath('ip') },
  { package: 'nftables', has: () => onPath('nft') },
  { package: 'iptables', has: () => onPath('iptables') },
  { package: 'conntrack', has: () => onPath('conntrack') },
  { package: 'curl', has: () => onPath('curl') },
  { package: 'busybox-static', has: () => isStatic('/usr/bin/busybox') },
  { package: 'openssl', has: () => onPath('openssl') },
  { package: 'default-jre-headless', has: () => onPath('java') }, // for ZooKeeper
  { package: 'procps', has: () => onPath('ps') },
  { package: 'util-linux', has: () => onPath('nsenter') && onPath('unshare') && onPath('setpriv') },
  { package: 'ca-certificates', has: () => existsSync('/etc/ssl/certs/ca-certificates.crt') },
  {
    package: 'debian-archive-keyring',
    has: () => existsSync('/usr/share/keyrings/debian-archive-keyring.gpg'),
  },
  // The server and the client without their service and its account.
  { package: 'mariadb-server-core', has: () => onPath('mariadbd'), for: 'tests' },
  { package: 'mariadb-client-core', has: () => onPath('mariadb'), for: 'tests' },
  { package: 'haproxy', has: () => onPath('haproxy'), for: 'bench' },
];

/** @param {string} name */
function onPath(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin', '/bin'];
  return folders.some((folder) => folder !== '' && existsSync(join(folder, name)));
}

/** Whether a program needs no library: only such a busybox can be an image by itself. */
function isStatic(path) {
  if (!existsSync(path)) return false;
  return !readFileSync(path).subarray(0, 4096).includes('ld-linux');
}

function say(line) {
  console.log(`prepare: ${line}`);
}

/**
 * Installs what is missing.
 * @param {{ hosts: boolean, on?: 'tests' | 'bench' }} wanted `hosts`: also what real Docker hosts need from the system;
 *   `on`: and what runs on them
 * @returns {string[]} what is still missing, one line each; empty when all is there
 */
export function prepare({ hosts, on }) {
  const problems = npmPackages();
  if (hosts) problems.push(...systemPackages(on));
  for (const line of problems) say(`missing: ${line}`);
  return problems;
}

/** The npm packages of the lock file. */
function npmPackages() {
  if (installedAsLocked()) return [];
  const locked = existsSync(join(root, 'package-lock.json'));
  const command = locked ? 'ci' : 'install';
  say(`npm ${command}`);
  const args = [
    command,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--include=dev',
    '--include=optional',
  ];
  const npm = process.env.npm_execpath;
  const { status } = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: 'inherit' })
    : spawnSync('npm', args, { cwd: root, stdio: 'inherit' });
  return status === 0 ? [] : [`npm packages: "npm ${command}" failed (see above)`];
}

/** Compares what npm noted in node_modules with the lock file: dates say little after a checkout. */
function installedAsLocked() {
  const [wanted, got] = ['package-lock.json', 'node_modules/.package-lock.json'].map((name) => {
    const path = join(root, name);
    return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).packages : undefined;
  });
  if (got === undefined) return false;
  if (wanted === undefined) return true;
  return Object.entries(wanted).every(
    ([path, { version, optional }]) =>
      path === '' || (optional && !got[path]) || got[path]?.version === version,
  );
}

/** The Debian packages that real hosts need; installs them where this is root on Debian or Ubuntu. */
function systemPackages(on) {
  if (process.platform !== 'linux') return ['Linux: real Docker hosts are made of network namespaces'];
  const needs = systemNeeds.filter((need) => need.for === undefined || need.for === on);
  const missing = () => needs.filter((need) => !need.has());
  const isRoot = process.getuid?.() === 0;
  if (missing().length > 0 && isRoot && onPath('apt-get')) {
    installWith(missing().filter((need) => need.after === undefined));
    installWith(missing().filter((need) => need.after !== undefined));
  }
  const problems = missing().map((need) => `${need.package} (as root: apt-get install ${need.package})`);
  if (!isRoot) problems.push('root: real Docker hosts need it (without: npm run check)');
  return problems;
}

function installWith(needs) {
  if (needs.length === 0) return;
  const packages = needs.map((need) => need.package);
  say(`apt-get install ${packages.join(' ')} (once; that takes minutes)`);
  const restore = keepServicesOff();
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const options = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=3'];
    // A list of another repository may fail here; what counts is whether the packages can be installed.
    const update = spawnSync('apt-get', [...options, 'update'], { env, encoding: 'utf8' });
    if (update.status !== 0) say(`apt-get update: ${update.stderr.trim().split('\n').slice(-2).join(' ')}`);
    const args = [...options, 'install', '--no-install-recommends', ...packages];
    const { status, stdout, stderr } = spawnSync('apt-get', args, { env, encoding: 'utf8' });
    if (status !== 0) say(`apt-get install failed:\n${stdout.slice(-1000)}${stderr.slice(-2000)}`);
  } finally {
    restore();
  }
}

/**
 * Debian's packages start and enable their services when they are installed. Tests bring their own engines and must
 * not put one on this machine, so a policy says no meanwhile, and what got enabled is disabled again.
 */
function keepServicesOff() {
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const units = ['docker.service', 'docker.socket', 'containerd.service', 'haproxy.service'];
  const found = (unit) =>
    ['/lib', '/usr/lib', '/etc'].some((at) => existsSync(`${at}/systemd/system/${unit}`));
  const fresh = units.filter((unit) => !found(unit));
  return () => {
    if (ours) rmSync(policy, { force: true });
    const added = fresh.filter(found);
    if (added.length === 0 || !existsSync('/etc/systemd/system')) return;
    // As `systemctl disable` does; but systemd need not run, nor be there, for its links to be made.
    const folder = '/etc/systemd/system';
    for (const wants of readdirSync(folder).filter((name) => name.endsWith('.wants')))
      for (const unit of added) rmSync(join(folder, wants, unit), { force: true });
    say(`left off: ${added.join(' ')} (systemctl enable --now turns them on)`);
  };
}

/** @param {string[]} problems ends the process where something is missing */
export function endIfMissing(problems) {
  if (problems.length > 0) process.exit(1);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  endIfMissing(prepare({ hosts: true, on: 'tests' }));
  say('ready');
}

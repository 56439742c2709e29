import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../hosts/index.ts';
import { typed } from './shell-lines.ts';

/** What the mount unit does at a boot. */
export async function mountShared(host: Host): Promise<void> {
  const shared = '/mnt/dockernfs';
  // The hosts' disks lie side by side in one file system.
  const folder = join(host.diskFolder('..'), 'shared');
  const mount = `mkdir -p ${folder} && mount -t tmpfs mnt /mnt && mkdir ${shared} && mount --bind ${folder} ${shared}`;
  await host.exec('sh', '-c', mount);
}

/** Keeps a file for a database in /var/lib/mysql, and knows three statements. */
const MARIADB = `FROM busybox
STOPSIGNAL SIGKILL
CMD ["nc", "-ll", "-p", "3306", "-e", "sh", "-c", "read -r a b c; case $a$b in CREATE*) touch /var/lib/mysql/\${c%;};; *variables) cat /etc/mysql/conf.d/*;; *) ls /var/lib/mysql;; esac"]
`;
/** A client of that. */
const MYSQL = `#!/bin/sh
while [ $# -gt 1 ]; do case $1 in -h) host=$2;; -e) statement=$2;; esac; shift; done
echo "$statement" | busybox nc -w 3 "$host" 3306
`;

/** The images of the guide, by their names. */
export async function loadStandIns(host: Host): Promise<void> {
  const tags = ['httpd:2.4-alpine', 'nginx:1.12'].map((tag) => `docker tag nginx ${tag}`).join(' && ');
  const build = `docker build -q -t mariadb:10.1 - <<'END'\n${MARIADB}END`;
  await typed(host, `${tags} && ${build}`);
}

/** Adds `mysql` to a folder of programs. */
export function addMysql(folder: string): void {
  writeFileSync(join(folder, 'mysql'), MYSQL, { mode: 0o755 });
}

/** Switches a host on that was off; its shared folder is there before its engine. */
export async function powerOn(host: Host): Promise<void> {
  await host.boot();
  await mountShared(host);
  await host.start();
}

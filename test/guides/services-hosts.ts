import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../hosts/index.ts';

/** What the mount unit does at a boot. */
export async function mountShared(host: Host): Promise<void> {
  const shared = '/mnt/dockernfs';
  // The hosts' disks lie side by side in one file system.
  const folder = join(host.diskFolder('..'), 'shared');
  const mount = `mkdir -p ${folder} && mount -t tmpfs mnt /mnt && mkdir ${shared} && mount --bind ${folder} ${shared}`;
  await host.exec('sh', '-c', mount);
}

/** The web servers of the guide, by their names. */
export async function tagStandIns(host: Host): Promise<void> {
  for (const tag of ['httpd:2.4-alpine', 'nginx:1.12']) await host.docker('tag', 'nginx', tag);
}

/** Adds `mysql` to a folder of programs: newer Debians call it `mariadb` only. */
export function addMysql(folder: string): void {
  symlinkSync('/usr/bin/mariadb', join(folder, 'mysql'));
}

/** Switches a host on that was off; its shared folder is there before its engine. */
export async function powerOn(host: Host): Promise<void> {
  await host.boot();
  await mountShared(host);
  await host.start();
}

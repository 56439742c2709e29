import type { Host } from '../hosts/index.ts';

/** What a disk is filled with. */
const FILLER = 'filler';

/** Puts a small disk of its own under a folder of a host; it goes with the host. */
export async function smallDisk(host: Host, folder: string, size: string): Promise<void> {
  await host.exec('mkdir', '-p', folder);
  await host.exec('mount', '-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'small', folder);
}

/** Not one more byte can be written to it. */
export async function fillDisk(host: Host, folder: string): Promise<void> {
  await host.exec('sh', '-c', `cat /dev/zero > ${folder}/${FILLER} 2>/dev/null || true`);
}

export async function freeDisk(host: Host, folder: string): Promise<void> {
  await host.exec('rm', '-f', `${folder}/${FILLER}`);
}

import { readdir, readFile, readlink } from 'node:fs/promises';
import type { MeshPortRef } from '../../model/index.ts';

/** proc_net_tcp(5): the state of a socket that listens; UDP's unconnected ones are in state 7. */
const STATES: Readonly<Record<string, string>> = { tcp: '0A', udp: '07' };

/**
 * Who else listens on a port of this host: `nginx (process 812)`; undefined where nobody does, or it can't be
 * seen.
 */
export async function ownerOfPort({ protocol, published }: MeshPortRef): Promise<string | undefined> {
  const inodes = new Set<string>();
  for (const file of [protocol, `${protocol}6`]) {
    const text = await readFile(`/proc/net/${file}`, 'utf8').catch(() => '');
    for (const inode of listeners(text, published, STATES[protocol] ?? '')) inodes.add(inode);
  }
  if (inodes.size === 0) return undefined;
  const pid = await processWith(inodes);
  if (pid === undefined) return undefined;
  const comm = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
  return `${comm.trim() || 'a process'} (process ${pid})`;
}

/** The inodes of sockets on a port, from /proc/net/tcp and its like. */
export function listeners(text: string, port: number, state: string): string[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((parts) => parts[1]?.endsWith(`:${hexPort}`) && parts[3] === state)
    .map((parts) => parts[9] ?? '')
    .filter((inode) => inode !== '' && inode !== '0');
}

async function processWith(inodes: ReadonlySet<string>): Promise<string | undefined> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const file of files) {
      const target = await readlink(`/proc/${pid}/fd/${file}`).catch(() => '');
      if (inodes.has(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? '')) return pid;
    }
  }
  return undefined;
}

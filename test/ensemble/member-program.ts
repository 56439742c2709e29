import { findEtcd, type EtcdProgram } from '../../src/ensemble/index.ts';
import { ensureEtcd, type EtcdVersion } from '../stores/etcd.ts';

/** Debian's etcd, as a host would have it installed. */
export async function program(version: EtcdVersion = '3.4'): Promise<EtcdProgram> {
  return findEtcd(await ensureEtcd(version));
}

import { findEtcd, type EtcdProgram } from '../../src/ensemble/index.ts';
import { ensureEtcd } from '../stores/etcd.ts';

/** Debian's etcd, as a host would have it installed. */
export async function program(): Promise<EtcdProgram> {
  return findEtcd(await ensureEtcd('3.4'));
}

import { afterAll, beforeAll, describe } from 'vitest';
import { startEtcd, type Etcd } from '../stores/etcd.ts';
import { storeContract } from './contract.ts';
import { sealedEtcdPlace } from './sealed-place.ts';

let etcd: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
}, 60_000);

afterAll(() => etcd[Symbol.asyncDispose]());

describe('a store in etcd whose rows are sealed', () => storeContract(() => sealedEtcdPlace(etcd)));

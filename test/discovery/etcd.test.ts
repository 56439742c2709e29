import { discoveryContract } from './contract.ts';
import { v2Fixture, v3Fixture } from './etcd-fixture.ts';
import type { StoreTraits } from './fixture.ts';
import { lockContract } from './lock-contract.ts';

const TRAITS: StoreTraits = { shortTtlMs: 3_000, goneWithinMs: 20_000 };

discoveryContract('etcd 3.4 by v3', () => v3Fixture({ version: '3.4' }), TRAITS);
lockContract('etcd 3.5 by v3', () => v3Fixture({ version: '3.5' }), TRAITS);
discoveryContract('etcd by v2', () => v2Fixture(), { ...TRAITS, many: 300 });
lockContract('etcd by v2', () => v2Fixture(), TRAITS);

import { CONSUL_TRAITS, consulFixture } from './consul-fixture.ts';
import { lockContract } from './lock-contract.ts';

// A file of its own, because it waits for most of its time.
lockContract('consul', consulFixture, CONSUL_TRAITS);

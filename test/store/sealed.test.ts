import { describe } from 'vitest';
import { storeContract } from './contract.ts';
import { sealedRowsPlace, sealedSqlitePlace } from './sealed-place.ts';

describe('a store over sealed rows', () => storeContract(sealedRowsPlace));

describe('a store in SQLite whose rows are sealed', () => storeContract(sealedSqlitePlace));

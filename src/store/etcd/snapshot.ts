import type { RangeResponse } from '../../../proto/generated/etcd/rpc_pb.js';
import { SwarmError } from '../../base/errors.ts';
import type { Row } from '../types.ts';
import type { EtcdClient } from './client.ts';
import { EtcdError } from './etcd-error.ts';
import type { KeyRange, Keys } from './keys.ts';
import { tooNew, type Layouts } from '../layouts.ts';
import { layoutOf } from './layout-value.ts';
import { revisionOf, type Stored } from './revision-value.ts';
import { RowReader } from './row-values.ts';

/** Of the keys on a page. */
interface PageLimits {
  readonly first: number;
  readonly most: number;
}

/** The whole state as of one revision of etcd's. */
export interface Snapshot {
  readonly stored: Stored;
  /** What is to be followed from. */
  readonly etcdRevision: bigint;
  /** Of the rows, or of the newest of them. */
  readonly layout: number;
  readonly rows: readonly Row[];
}

/** The tables whose rows may be large, in etcd's order: of these a page begins with few. */
const LARGE_TABLES = ['config', 'secret'];
const FEW: PageLimits = { first: 8, most: 100 };
const MANY: PageLimits = { first: 500, most: 500 };
/** What a page should have: an answer's parts are put together at a cost that grows with the square of its size. */
const PAGE_BYTES = 1024 * 1024;
/** How often it is begun again when etcd is compacted meanwhile. */
const TRIES = 3;

/**
 * Reads the state, in pages, as it was at one moment no earlier than the call. Throws `not-found` where there is none, `unavailable`
 * where etcd doesn't answer or what it has is damaged or newer than this version.
 */
export async function readSnapshot(
  client: EtcdClient,
  keys: Keys,
  layouts: Layouts,
  signal: AbortSignal,
): Promise<Snapshot> {
  for (let tries = 1; ; tries++) {
    try {
      return await readOnce(client, keys, layouts, signal);
    } catch (error) {
      if (!(error instanceof EtcdError && error.isCompacted) || tries === TRIES) throw error;
    }
  }
}

async function readOnce(
  client: EtcdClient,
  keys: Keys,
  layouts: Layouts,
  signal: AbortSignal,
): Promise<Snapshot> {
  const first = await client.range({ key: keys.revision }, { signal });
  const stored = revisionOf(first.kvs[0]);
  if (!stored) throw new SwarmError('not-found', `there is no state of a swarm in ${client.where}`);
  const etcdRevision = first.header?.revision ?? 0n;
  const layout = checked(
    await client.range({ key: keys.layout, revision: etcdRevision }, { signal }),
    layouts,
  );
  const rows: Row[] = [];
  const reader = new RowReader(keys);
  for (const [range, limits] of parts(keys))
    for await (const page of pages(client, range, { limits, revision: etcdRevision, signal }))
      rows.push(...reader.read(page.kvs));
  reader.end();
  return { stored, etcdRevision, layout, rows };
}

function checked({ kvs }: RangeResponse, layouts: Layouts): number {
  const { layout = 0, since = '' } = layoutOf(kvs[0]?.value ?? new Uint8Array()) ?? {};
  if (layout > 0 && layout <= layouts.newest) return layout;
  throw new SwarmError(
    'unavailable',
    layout === 0 ? 'its layout is not known' : tooNew(layout, since, layouts),
  );
}

/** All rows, in etcd's order. */
function* parts(keys: Keys): Generator<[KeyRange, PageLimits]> {
  let { key } = keys.rows;
  for (const table of LARGE_TABLES) {
    const large = keys.table(table);
    yield [{ key, rangeEnd: large.key }, MANY];
    yield [large, FEW];
    key = large.rangeEnd;
  }
  yield [{ key, rangeEnd: keys.rows.rangeEnd }, MANY];
}

async function* pages(
  client: EtcdClient,
  range: KeyRange,
  { limits, revision, signal }: { limits: PageLimits; revision: bigint; signal: AbortSignal },
): AsyncGenerator<RangeResponse, void, undefined> {
  let limit = limits.first;
  for (let { key } = range; ;) {
    const page = await client.range(
      { key, rangeEnd: range.rangeEnd, limit: BigInt(limit), revision },
      { signal },
    );
    yield page;
    const last = page.kvs.at(-1);
    if (!page.more || !last) return;
    // The next key there can be.
    key = Buffer.concat([last.key, Buffer.of(0)]);
    const bytes = page.kvs.reduce((sum, { value }) => sum + value.byteLength, 1);
    limit = Math.ceil(limit * Math.min(2, PAGE_BYTES / bytes));
    limit = Math.min(limits.most, limit);
  }
}

import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { Broadcast } from './broadcast.ts';

const MIB = 1024 * 1024;

function megabytes(count: number, onChunk?: (n: number) => void): Readable {
  return Readable.from(
    (function* () {
      for (let n = 0; n < count; n += 1) {
        onChunk?.(n);
        yield Buffer.alloc(MIB, n);
      }
    })(),
    { objectMode: false, highWaterMark: 1 },
  );
}

describe('Broadcast', () => {
  it('gives every reader the whole', async () => {
    const broadcast = new Broadcast(megabytes(5), { stallMs: 1_000 });
    const readers = [broadcast.branch(), broadcast.branch(), broadcast.branch()].map(({ stream }) =>
      buffer(stream),
    );
    await broadcast.run();
    const copies = await Promise.all(readers);
    expect(copies.map((copy) => copy.length)).toEqual([5 * MIB, 5 * MIB, 5 * MIB]);
    expect(copies[0]?.equals(copies[2] ?? Buffer.alloc(0))).toBe(true);
  });

  it('goes at the pace of the slowest, and drops one that takes nothing', async () => {
    let sent = 0;
    const broadcast = new Broadcast(
      megabytes(20, (n) => (sent = n)),
      { stallMs: 200 },
    );
    const quick = buffer(broadcast.branch().stream);
    const stuck = broadcast.branch().stream;
    const running = broadcast.run();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(sent).toBeLessThan(4);
    expect(stuck.destroyed).toBe(false);
    await running;
    expect((await quick).length).toBe(20 * MIB);
    expect(stuck.errored?.message).toMatch(/took nothing of the upload/);
  });

  it('breaks every copy where the source breaks', async () => {
    const source = Readable.from(
      (async function* () {
        yield Buffer.alloc(10);
        throw new Error('aborted');
      })(),
    );
    const broadcast = new Broadcast(source, { stallMs: 1_000 });
    const copies = [broadcast.branch(), broadcast.branch()].map(({ stream }) => buffer(stream));
    const ends = Promise.allSettled(copies);
    await expect(broadcast.run()).rejects.toThrow('the upload ended before it was complete');
    expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('does not wait for a source that gives nothing when nobody needs more', async () => {
    const source = new PassThrough();
    const broadcast = new Broadcast(source, { stallMs: 1_000 });
    const branches = [broadcast.branch(), broadcast.branch()];
    const running = broadcast.run();
    source.write('half');
    for (const branch of branches) branch.close();
    await running;
    expect(source.destroyed).toBe(false);
  });

  it('bears an error of a source that nobody needs any more', async () => {
    const source = new PassThrough();
    const broadcast = new Broadcast(source, { stallMs: 1_000 });
    const branch = broadcast.branch();
    const running = broadcast.run();
    source.destroy(new Error('aborted'));
    branch.close();
    await running;
    await new Promise((resolve) => source.once('close', resolve));
  });

  it('stops reading when nobody needs more', async () => {
    let sent = 0;
    const source = megabytes(50, (n) => (sent = n));
    const broadcast = new Broadcast(source, { stallMs: 1_000 });
    const branch = broadcast.branch();
    const running = broadcast.run();
    branch.close();
    await running;
    expect(sent).toBeLessThan(5);
    expect(source.destroyed).toBe(false);
  });
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameReader } from './frames.ts';
import { JuteReader, JuteWriter } from './jute.ts';
import { readConnectAnswer, readMulti, readOwner } from './protocol.ts';

const frameOf = (text: string): Buffer => new JuteWriter().text(text).frame();
const textOf = (frame: Buffer): string => new JuteReader(frame).text();

test('frames come out whole, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { maxLength: 6 }), fc.array(fc.nat(9)), (texts, cuts) => {
      const bytes = Buffer.concat(texts.map(frameOf));
      const reader = new FrameReader();
      const seen: string[] = [];
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        for (const frame of reader.push(bytes.subarray(at, at + cut))) seen.push(textOf(frame));
        at += cut;
      }
      expect(seen).toEqual(texts.map((text) => Buffer.from(text).toString()));
    }),
  );
});

test.each([
  ['HTTP/1.1 400 Bad Request\r\n', 'HTTP is spoken there'],
  ['\x15\x03\x01\x00\x02\x02\x46', 'TLS is spoken there'],
  ['\xff\xff\xff\xff', 'not of the ZooKeeper protocol'],
  ['SSH-2.0-OpenSSH', 'not of the ZooKeeper protocol'],
])('%j is told from a ZooKeeper', (bytes, words) => {
  expect(() => [...new FrameReader().push(Buffer.from(bytes, 'latin1'))]).toThrow(words);
});

test('any bytes are read or refused, in bounded time', () => {
  const readers = [
    (frame: Buffer) => readConnectAnswer(frame),
    (frame: Buffer) => readMulti(new JuteReader(frame)),
    (frame: Buffer) => readOwner(new JuteReader(frame)),
    (frame: Buffer) => new JuteReader(frame).texts(),
    (frame: Buffer) => new JuteReader(frame).text(),
  ];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      for (const read of readers) {
        try {
          read(Buffer.from(bytes));
        } catch (error) {
          expect(error).toMatchObject({ code: 'unavailable' });
        }
      }
    }),
  );
});

test('a count of more texts than there are bytes is refused', () => {
  const frame = new JuteWriter().int(0x7fff_ffff).frame().subarray(4);
  expect(() => new JuteReader(frame).texts()).toThrow('not of the ZooKeeper protocol');
});

import { describe, expect, it } from 'vitest';
import { jsonLines } from './json-lines.ts';

async function read(...chunks: (string | Buffer)[]): Promise<unknown[]> {
  const source = (async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk);
  })();
  const lines: unknown[] = [];
  for await (const line of jsonLines(source, () => new Error('garbage'))) lines.push(line);
  return lines;
}

describe('jsonLines', () => {
  it('reads objects however the stream is cut', async () => {
    const text = Buffer.from('{"a":"é"}\r\n\n{"b":2}\n{"c":3}');
    for (let at = 0; at <= text.length; at += 1) {
      expect(await read(text.subarray(0, at), text.subarray(at))).toEqual([{ a: 'é' }, { b: 2 }, { c: 3 }]);
    }
  });

  it.each(['nonsense\n', '[1]\n', 'null', `"${'x'.repeat(2_000_000)}`])('refuses %.20s', async (text) => {
    await expect(read(text)).rejects.toThrow('garbage');
  });
});

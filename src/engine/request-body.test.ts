import { describe, expect, it } from 'vitest';
import { requestBody } from './request-body.ts';

/** Feeds `text` in pieces of `size` bytes; gives what counted as the body. */
function bodyOf(headers: string[], text: string, size: number): string {
  const body = requestBody(headers);
  const whole = Buffer.from(text);
  let taken = '';
  for (let at = 0; at < whole.length; at += size) {
    const piece = whole.subarray(at, at + size);
    taken += piece.toString('utf8', 0, body.take(piece));
  }
  return taken;
}

describe('where a request ends', () => {
  const chunked = '5\r\nhello\r\nA;name=value\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n';
  it.each([1, 2, 3, 7, 1000])('in pieces of %i bytes', (size) => {
    expect(bodyOf([], 'GET /next', size)).toBe('');
    expect(bodyOf(['Content-Length', '5'], 'helloGET /next', size)).toBe('hello');
    expect(bodyOf(['transfer-encoding', 'chunked'], `${chunked}GET /next`, size)).toBe(chunked);
    expect(bodyOf(['Transfer-Encoding', 'chunked'], '0\r\n\r\nGET /next', size)).toBe('0\r\n\r\n');
  });

  it('lets nothing through behind framing that it cannot read', () => {
    expect(bodyOf(['Transfer-Encoding', 'chunked'], 'zz\r\nGET /next HTTP/1.1\r\n\r\n', 1000)).toBe('zz\r\n');
    expect(bodyOf(['Content-Length', '-1'], 'GET /next', 1000)).toBe('');
  });
});

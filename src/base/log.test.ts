import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { childLog, createLog, quietly } from './log.ts';

function recorder(): { lines: string[]; write(text: string): void } {
  const lines: string[] = [];
  return { lines, write: (text) => void lines.push(text) };
}

test('writes the lines that classic log shippers read', () => {
  const sink = recorder();
  createLog('info', sink).info({ addr: ':3375', proto: 'tcp' }, 'Listening for HTTP');
  expect(sink.lines[0]).toMatch(
    /^time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" level=info msg="Listening for HTTP" addr=":3375" proto=tcp\n$/,
  );
});

test('keeps a value from looking like another field or line', () => {
  const sink = recorder();
  createLog('info', sink).warn({ name: 'a" level=error\nb', empty: '', list: [1] }, 'x\ny');
  expect(sink.lines[0]).toMatch(
    / level=warning msg="x\\ny" name="a\\" level=error\\nb" empty="" list="\[1\]"\n$/,
  );
  expect(sink.lines[0]?.split('\n')).toHaveLength(2);
});

test('writes errors as their words, and the component of a child', () => {
  const sink = recorder();
  childLog(createLog('debug', sink), 'pool').debug({ err: new Error('no route') }, 'Engine lost');
  expect(sink.lines[0]).toMatch(/level=debug msg="Engine lost" err="no route" component=pool\n$/);
});

test.each([
  ['error' as const, 1],
  ['panic' as const, 0],
  ['debug' as const, 3],
])('at level %s', (level, count) => {
  const sink = recorder();
  const log = createLog(level, sink);
  log.debug('a');
  log.info('b');
  log.error('c');
  expect(sink.lines).toHaveLength(count);
});

test('forgets what nobody reads', () => {
  const stream = new PassThrough();
  const sink = quietly(stream as unknown as NodeJS.WriteStream);
  quietly(stream as unknown as NodeJS.WriteStream);
  expect(stream.listenerCount('error')).toBe(1);
  stream.emit('error', Object.assign(new Error('EPIPE'), { code: 'EPIPE' }));
  sink.write('still here');
});

import { createServer, type Server } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SwarmError } from './errors.ts';
import { explainListenError } from './listen-error.ts';

async function failureOf(where: object): Promise<Error> {
  const server = createServer();
  return new Promise((resolve) => server.once('error', resolve).listen(where, () => server.close()));
}

function taken(where: object): Promise<Server> {
  const server = createServer();
  return new Promise((resolve) => server.listen(where, () => resolve(server)));
}

test('a port in use is one line with the ways out, also behind other errors', async () => {
  const holder = await taken({ host: '127.0.0.1', port: 0 });
  const { port } = holder.address() as { port: number };
  const cause = await failureOf({ host: '127.0.0.1', port });
  holder.close();
  const error = explainListenError(new SwarmError('unavailable', 'cannot listen', { cause })) as Error;
  expect(error.message).toBe(
    `listen tcp 127.0.0.1:${port}: address already in use. Choose another port (-H tcp://127.0.0.1:PORT), or see who holds it: ss -ltnp 'sport = :${port}'`,
  );
});

test('a socket in use names who to ask', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'listen-'));
  const path = join(folder, 's.sock');
  const holder = await taken({ path });
  const error = explainListenError(await failureOf({ path })) as Error;
  holder.close();
  rmSync(folder, { recursive: true });
  expect(error.message).toContain(`listen unix ${path}: address already in use. Choose another path`);
});

test.each([
  [{ host: '192.0.2.1', port: 0 }, 'not an address of this machine'],
  [{ path: '/nowhere/at/all.sock' }, 'does not exist'],
])('%j', async (where, words) => {
  expect((explainListenError(await failureOf(where)) as Error).message).toContain(words);
});

test('other errors stay what they are', () => {
  const error = new Error('no');
  expect(explainListenError(error)).toBe(error);
  expect(explainListenError('text')).toBe('text');
});

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { SYSTEM_COMMANDS } from '../kernel/commands.ts';
import { CLOSED_PORT, probe } from './probe.ts';

const LOCAL = '127.0.0.1';

test('a port that nothing listens on answers by refusing', async () => {
  const results = await probe(SYSTEM_COMMANDS, '', [LOCAL], { port: CLOSED_PORT, mtu: 1450 });
  expect(results).toEqual([{ address: LOCAL, tcp: 'answered', small: 'answered', full: 'answered' }]);
});

test('a packet that is not answered is sent again, before it counts as lost', async () => {
  const silent = createSocket('udp4');
  const bytes: number[] = [];
  silent.on('message', (message) => bytes.push(message.length));
  silent.bind(0, LOCAL);
  await once(silent, 'listening');
  try {
    const { port } = silent.address();
    const results = await probe(SYSTEM_COMMANDS, '', [LOCAL], { port, mtu: 1450 });
    expect(results).toMatchObject([{ small: 'silent', full: 'silent' }]);
    await expect.poll(() => bytes.length).toBe(4);
    expect(bytes.filter((one) => one === 8)).toHaveLength(2);
  } finally {
    silent.close();
  }
});

test('where it can not be tried nothing is told', async () => {
  const failing = { run: () => Promise.resolve({ code: 1, stdout: '', stderr: 'x' }) };
  expect(await probe(failing, '', [LOCAL], { port: 1, mtu: 1450 })).toEqual([]);
});

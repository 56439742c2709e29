import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import type { MeshPortRef } from '../../model/index.ts';
import { listeners } from './port-owner.ts';
import { holdSystemPort, portKey, ReservedPorts } from './reserved-ports.ts';

const refs = (...ports: MeshPortRef[]): Map<string, MeshPortRef> =>
  new Map(ports.map((port) => [portKey(port), port]));
const tcp = (published: number): MeshPortRef => ({ protocol: 'tcp', published });

test('ports are held while they are wanted, and taken ones tried again', async () => {
  const busy = new Set(['tcp/81']);
  const held = new Set<string>();
  const ports = new ReservedPorts(async (port) => {
    const key = portKey(port);
    if (busy.has(key)) return 'taken';
    held.add(key);
    return { release: () => void held.delete(key) };
  });
  expect(await ports.want(refs(tcp(80), tcp(81)))).toBe(true);
  expect([[...held], [...ports.taken.keys()]]).toEqual([['tcp/80'], ['tcp/81']]);
  expect(await ports.want(refs(tcp(80), tcp(81)))).toBe(false);
  busy.clear();
  expect(await ports.want(refs(tcp(80), tcp(81)))).toBe(true);
  expect([[...held], [...ports.taken.keys()]]).toEqual([['tcp/80', 'tcp/81'], []]);
  await ports.want(refs(tcp(81)));
  expect([...held]).toEqual(['tcp/81']);
  ports.releaseAll();
  expect([...held]).toEqual([]);
});

test('a port that can not be held for another reason is answered, and it is said', async () => {
  const ports = new ReservedPorts(() => Promise.reject(Object.assign(new Error('no'), { code: 'EMFILE' })));
  await ports.want(refs(tcp(80), tcp(81)));
  expect(ports.taken.size).toBe(0);
  expect(ports.faults).toEqual([expect.stringContaining('EMFILE')]);
});

test('a held port is nobody else’s, and who comes there is reset', async () => {
  const finder = createServer().listen(0);
  await once(finder, 'listening');
  const { port } = finder.address() as AddressInfo;
  expect(await holdSystemPort(tcp(port))).toBe('taken');
  finder.close();
  await once(finder, 'close');
  const held = await holdSystemPort(tcp(port));
  if (held === 'taken') throw new Error('the port is taken');
  const [error] = (await once(connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNRESET');
  expect(await holdSystemPort(tcp(port))).toBe('taken');
  held.release();
});

test('udp likewise', async () => {
  const socket = createSocket('udp4').bind(0);
  await once(socket, 'listening');
  const port: MeshPortRef = { protocol: 'udp', published: socket.address().port };
  expect(await holdSystemPort(port)).toBe('taken');
  socket.close();
  await once(socket, 'close');
  const held = await holdSystemPort(port);
  if (held === 'taken') throw new Error('the port is taken');
  held.release();
});

test('who listens is found by its socket', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 12346 1 0000 20 4 30 10 -1`;
  expect(listeners(table, 8080, '0A')).toEqual(['12345']);
  expect(listeners(table, 8081, '0A')).toEqual([]);
});

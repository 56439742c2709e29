import { createServer, connect, type Socket, type AddressInfo } from 'node:net';

/**
 * A TCP way to somewhere else that can be cut as a pulled cable cuts it: nothing gets through, and neither side is
 * told.
 */
export interface CutProxy extends AsyncDisposable {
  /** 127.0.0.1:port */
  readonly address: string;
  cut(): void;
  /** Connections that were open while it was cut are dead; new ones work. */
  heal(): void;
}

export async function startCutProxy(target: string): Promise<CutProxy> {
  const [host = '', port = ''] = target.split(':');
  const open = new Set<Socket>();
  let isCut = false;
  const server = createServer((client) => {
    open.add(client);
    client.on('error', () => undefined);
    client.on('close', () => open.delete(client));
    if (isCut) {
      client.pause();
      return;
    }
    const upstream = connect(Number(port), host);
    open.add(upstream);
    upstream.on('error', () => client.destroy());
    upstream.on('close', () => {
      open.delete(upstream);
      client.destroy();
    });
    client.on('close', () => upstream.destroy());
    client.pipe(upstream);
    upstream.pipe(client);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const reset = (): void => {
    for (const socket of open) socket.destroy();
  };
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => {
      isCut = true;
      for (const socket of open) {
        socket.unpipe();
        socket.pause();
      }
    },
    heal: () => {
      isCut = false;
      reset();
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((done) => server.close(() => done()));
      reset();
      await closed;
    },
  };
}

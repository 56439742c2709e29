import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A balancer as somebody may put in front of managers: every connection goes to the next one. */
export interface RoundRobin extends AsyncDisposable {
  /** tcp://127.0.0.1:port */
  readonly host: string;
  /** http://127.0.0.1:port */
  readonly url: string;
}

/** `targets` are ports of the loopback, or ip:port. */
export async function startRoundRobin(targets: readonly (number | string)[]): Promise<RoundRobin> {
  const open = new Set<Socket>();
  let next = 0;
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const [host = '', port] = placeOf(targets[next++ % targets.length] ?? 0);
    const manager = connect({ host, port: Number(port), allowHalfOpen: true });
    for (const [one, other] of [
      [client, manager],
      [manager, client],
    ] as const) {
      open.add(one);
      one.on('error', () => undefined);
      one.once('close', () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `tcp://127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

function placeOf(target: number | string): string[] {
  return typeof target === 'number' ? ['127.0.0.1', `${target}`] : target.split(':');
}

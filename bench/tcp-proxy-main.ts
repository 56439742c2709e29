/** A TCP proxy as one would write it in Node.js: `tcp-proxy-main.ts PORT ADDRESS PORT`. It ends with standard input. */
import { connect, createServer, type Socket } from 'node:net';

const [port = '', address = '', target = ''] = process.argv.slice(2);

function join(one: Socket, other: Socket): void {
  one.pipe(other);
  one.on('error', () => other.destroy());
  one.on('close', () => other.destroy());
}

createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const task = connect({ host: address, port: Number(target), allowHalfOpen: true, noDelay: true });
  join(client, task);
  join(task, client);
}).listen({ port: Number(port), backlog: 1024 });
process.stdin.resume().on('end', () => process.exit(0));

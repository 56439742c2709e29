/**
 * Holds one connection: `line-main.ts HOST PORT`. What comes on standard input is sent, what is answered is printed;
 * so is, as the last line, why the connection ended. It ends with its input, too.
 */
import { connect } from 'node:net';

const [host = '', port = ''] = process.argv.slice(2);
const socket = connect({ host, port: Number(port) });
const end = (reason: string): void => void process.stdout.write(`${reason}\n`, () => process.exit(0));
socket.on('data', (data) => process.stdout.write(data));
socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
socket.on('end', () => end('closed'));
process.stdin.on('data', (data) => void socket.write(data)).on('end', () => process.exit(0));

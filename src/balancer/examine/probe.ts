import { asArray, asObject, asString } from '../../base/json.ts';
import type { Commands } from '../kernel/commands.ts';

/** How packets to an address fared. `refused` is as good as `answered`: it comes from there. */
export interface ProbeResult {
  readonly address: string;
  /** A connection's first packet, and packets of a few bytes and of the link's full size. */
  readonly tcp: Fate;
  readonly small: Fate;
  readonly full: Fate;
}

export type Fate = 'answered' | 'silent' | 'unreachable' | 'too big';

/** A first packet that is lost comes again after a second, as the kernel does it for TCP. */
const AGAIN_MS = 1_000;
const SILENT_MS = 2_500;
const LIMIT_MS = 6_000;
/** Nothing listens on it as a rule; the kernel there refuses, and by that answers. */
export const CLOSED_PORT = 1;
/** Headers of IPv4 and UDP. */
const HEADERS = 28;

/**
 * What is run in the namespace: it has to be a program of its own, and needs nothing but this runtime. UDP
 * packets are sent unfragmented, as Linux does unless told otherwise.
 */
const PROGRAM = `
const { connect } = require('node:net');
const { createSocket } = require('node:dgram');
const [addresses, port, full, silentMs, againMs] = JSON.parse(process.argv[1]);
const fate = (error) => ({ ECONNREFUSED: 'answered', EMSGSIZE: 'too big' })[error.code] ?? 'unreachable';
const limited = (start) => new Promise((resolve) => {
  const end = start(resolve);
  setTimeout(() => { resolve('silent'); end(); }, silentMs).unref();
});
const tcp = (host) => limited((resolve) => {
  const socket = connect({ host, port });
  socket.on('connect', () => { resolve('answered'); socket.destroy(); });
  socket.on('error', (error) => resolve(fate(error)));
  return () => socket.destroy();
});
const udp = (host, bytes) => limited((resolve) => {
  const socket = createSocket('udp4');
  const end = () => { try { socket.close(); } catch {} };
  const send = () => { try { socket.send(Buffer.alloc(bytes)); } catch {} };
  socket.on('error', (error) => { resolve(fate(error)); end(); });
  socket.connect(port, host, () => { send(); setTimeout(send, againMs).unref(); });
  return end;
});
Promise.all(addresses.map(async (address) => {
  const [first, small, large] = await Promise.all([tcp(address), udp(address, 8), udp(address, full)]);
  return { address, tcp: first, small, full: large };
})).then((results) => process.stdout.write(JSON.stringify(results), () => process.exit()));
`;

/**
 * Sends packets from a namespace to a port of tasks, whether something listens there or not. Empty where it
 * can't be tried.
 */
export async function probe(
  commands: Commands,
  netns: string,
  addresses: readonly string[],
  { port, mtu }: { readonly port: number; readonly mtu: number },
): Promise<readonly ProbeResult[]> {
  const input = JSON.stringify([addresses, port, Math.max(8, mtu - HEADERS), SILENT_MS, AGAIN_MS]);
  const args = ['-e', PROGRAM, input];
  const result = await commands.run({ netns, program: process.execPath, args, limitMs: LIMIT_MS });
  return result.code === 0 && result.stdout !== '' ? readProbe(result.stdout) : [];
}

function readProbe(text: string): ProbeResult[] {
  return asArray(JSON.parse(text))
    .map(asObject)
    .map(({ address, tcp, small, full }) => ({
      address: asString(address),
      tcp: fateOf(tcp),
      small: fateOf(small),
      full: fateOf(full),
    }));
}

function fateOf(value: unknown): Fate {
  const known: readonly Fate[] = ['answered', 'silent', 'unreachable', 'too big'];
  return known.find((one) => one === value) ?? 'silent';
}

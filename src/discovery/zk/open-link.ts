import { connect } from 'node:net';
import { messageOf, SwarmError } from '../../base/errors.ts';
import { hostOf, portOf } from '../../base/host-port.ts';
import { unreachable } from '../store-trouble.ts';
import { FrameReader } from './frames.ts';
import { Link, type LinkOptions } from './link.ts';
import { connectFrame, readConnectAnswer } from './protocol.ts';

/**
 * Connects and greets. Gives undefined where the session of the ticket has expired; rejects with `unavailable` and the
 * endpoint's name where no ZooKeeper answers in time, or the signal fires before one did.
 */
export function openLink(options: LinkOptions, signal: AbortSignal): Promise<Link | undefined> {
  const { endpoint, ticket, timeoutMs, openMs } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: hostOf(endpoint),
      port: portOf(endpoint),
      noDelay: true,
      keepAlive: true,
    });
    const frames = new FrameReader();
    let link: Link | undefined;
    const settled = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', leave);
    };
    const leave = (): void => fail(' was left');
    const fail = (why: string): void => {
      settled();
      link?.end(why);
      socket.destroy();
      reject(new SwarmError('unavailable', `ZooKeeper at ${endpoint}${why}`));
    };
    const timer = setTimeout(() => fail(' does not answer'), openMs);
    const greeted = (frame: Buffer): void => {
      settled();
      const greeting = readConnectAnswer(frame);
      if (greeting) link = new Link(socket, greeting, options);
      else socket.destroy();
      resolve(link);
    };
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    socket.once('connect', () => socket.write(connectFrame(ticket, timeoutMs)));
    socket.on('data', (chunk) => {
      try {
        for (const frame of frames.push(chunk)) {
          if (socket.destroyed || link?.ended) return;
          if (link) link.receive(frame);
          else greeted(frame);
        }
      } catch (error) {
        fail(`: ${messageOf(error)}`);
      }
    });
    socket.on('error', (error) => fail(connectionReason(error)));
    socket.on('close', () => fail(link ? ' closed the connection' : NO_GREETING));
  });
}

/** A ZooKeeper does so while its cluster has no quorum. */
const NO_GREETING = ' closed the connection without a greeting: it does not serve now, or is no ZooKeeper';

function connectionReason(error: Error): string {
  const before = unreachable(error);
  if (before !== undefined) return ` ${before}`;
  const closed = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
  return closed ? ' closed the connection' : ` failed: ${messageOf(error)}`;
}

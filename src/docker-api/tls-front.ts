import type { Socket } from 'node:net';
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import { messageOf } from '../base/errors.ts';
import { endWith, jsonAnswer, plainAnswer } from './last-word.ts';

/**
 * What a listener with TLS shows and asks for; PEM bytes. The fields may change while it listens, when files were
 * renewed: new connections get what they hold then.
 */
export interface ServerTls {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
  /** Ask every client for a certificate of `ca`. */
  verify: boolean;
}

/** Called with the address of a client that was turned away, and why, in words for the log. */
export type OnRefused = (peer: string, why: string) => void;

const TLS_HANDSHAKE = 0x16;
/** What Go's servers answer; docker's clients know the words. */
const PLAIN_AT_TLS = plainAnswer(
  '400 Bad Request',
  'Client sent an HTTP request to an HTTPS server.\n',
  '1.0',
);
const TLS_AT_PLAIN = plainAnswer(
  '400 Bad Request',
  'Client sent a TLS handshake to an HTTP server.\n',
  '1.0',
);

/** Whether these first bytes of a connection begin TLS. */
export function beginsTls(bytes: Buffer): boolean {
  return bytes[0] === TLS_HANDSHAKE;
}

/** Turns away a client that speaks TLS to a port that does not. Go's clients read the answer and say so. */
export function refuseTls(socket: Socket, onRefused: OnRefused): void {
  onRefused(peerOf(socket), 'it speaks TLS, this manager listens without (--tlsverify turns it on)');
  endWith(socket, TLS_AT_PLAIN);
  socket.resume();
}

/** The TLS of a listener: takes connections whose first bytes were looked at, and hands on those that may come in. */
export class TlsFront {
  readonly #tls: ServerTls;
  readonly #server: Server;
  readonly #onRefused: OnRefused;
  #shown: Buffer | undefined;
  #trusted: Buffer | undefined;

  constructor(tls: ServerTls, accept: (socket: Socket) => void, onRefused: OnRefused) {
    this.#tls = tls;
    this.#onRefused = onRefused;
    this.#server = createServer(
      { ...this.#material(), requestCert: tls.verify, rejectUnauthorized: tls.verify, allowHalfOpen: true },
      (socket) => {
        socket.on('error', () => undefined);
        if (tls.verify && !socket.authorized) this.#refuse(socket);
        else accept(socket);
      },
    );
    this.#server.on('tlsClientError', (error, socket) => {
      onRefused(peerOf(socket), handshakeWords(error));
      socket.destroy();
    });
    if (tls.verify) this.#answerInWords();
  }

  /** Takes a connection whose first bytes, `seen`, wait to be read again. */
  receive(socket: Socket, seen: Buffer): void {
    if (!beginsTls(seen)) {
      if (!isHealthCheck(socket, seen))
        this.#onRefused(peerOf(socket), 'it speaks plain HTTP, this manager TLS');
      endWith(socket, PLAIN_AT_TLS);
      socket.resume();
      return;
    }
    this.#renew();
    // TLS takes the bytes that wait and reads the socket itself from here on.
    this.#server.emit('connection', socket);
  }

  #renew(): void {
    const { cert, ca } = this.#tls;
    if (cert === this.#shown && ca === this.#trusted) return;
    try {
      this.#server.setSecureContext(this.#material());
    } catch {
      // Whoever renews the files looks at them first; what gets past that must not end the process. The former stay.
    }
  }

  #material(): SecureContextOptions {
    const { ca, cert, key } = this.#tls;
    this.#shown = cert;
    this.#trusted = ca;
    return {
      ...(ca ? { ca } : {}),
      ...(cert ? { cert } : {}),
      ...(key ? { key } : {}),
      minVersion: 'TLSv1.2',
    };
  }

  /**
   * A client without a certificate gets TLS's own alert, as OpenSSL sends it. One with a certificate that is no good
   * gets none from Node, which resets the connection: such a client is let through to `#refuse` to be told in words.
   * The socket is known this early by its key log alone, and should the private field be gone one day, Node's reset is
   * what remains: nobody comes in by this.
   */
  #answerInWords(): void {
    this.#server.on('keylog', (_line: Buffer, socket: TLSSocket & { _rejectUnauthorized?: boolean }) => {
      socket._rejectUnauthorized = false;
    });
  }

  #refuse(socket: TLSSocket): void {
    const why = certificateWords(String(socket.authorizationError));
    this.#onRefused(peerOf(socket), `its certificate ${why}`);
    endWith(socket, jsonAnswer('403 Forbidden', `client certificate refused: it ${why}`));
    socket.resume();
  }
}

/** `swarm health`, in the same container, asks without TLS and is content with any answer: nobody to tell of. */
function isHealthCheck(socket: Socket, seen: Buffer): boolean {
  return socket.remoteAddress === socket.localAddress && seen.toString('latin1').startsWith('GET /_ping ');
}

function peerOf(socket: Socket): string {
  return (socket.remoteAddress ?? 'a client that left').replace(/^::ffff:/, '');
}

/** Why a client's certificate is no good, by OpenSSL's code. */
function certificateWords(code: string): string {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return 'has expired';
    case 'CERT_NOT_YET_VALID':
      return 'is not valid yet (do the clocks agree?)';
    case 'INVALID_PURPOSE':
      return 'is not made for a TLS client (its extendedKeyUsage lacks clientAuth)';
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'CERT_SIGNATURE_FAILURE':
      return "is not signed by this manager's CA";
    default:
      return `is not accepted (${code})`;
  }
}

/** Why a handshake ended, by Node's code. */
function handshakeWords(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE':
      return "it shows no certificate, or has none of this manager's CA";
    case 'ERR_SSL_UNSUPPORTED_PROTOCOL':
    case 'ERR_SSL_NO_SHARED_CIPHER':
    case 'ERR_SSL_VERSION_TOO_LOW':
      return 'it speaks no TLS of today (1.2 or newer)';
    case 'ECONNRESET':
      return 'it hung up during the handshake';
    default: {
      const alert = /ALERT_(\w+)$/.exec(error.code ?? '')?.[1];
      if (alert) return `it refuses this manager's certificate (${alert.toLowerCase().replaceAll('_', ' ')})`;
      return `the handshake failed: ${messageOf(error)}`;
    }
  }
}

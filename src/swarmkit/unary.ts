import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from 'node:http2';
import { fromBinary, toBinary, create, type DescMethodUnary, type MessageShape } from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  createContextValues,
  type ConnectRouter,
  type HandlerContext,
} from '@connectrpc/connect';
import { PEER, type Peer } from './identity.ts';

/** Flags and length, before each message of gRPC. */
const PREFIX_BYTES = 5;
const HEAD = { ':status': 200, 'content-type': 'application/grpc+proto' };
/** An agent watches its own deadlines; one that makes no sense is left to Connect to refuse. */
const TIMEOUT = /^(\d{1,8}[HMSmun])?$/;
const PLAIN: ReadonlySet<unknown> = new Set(['application/grpc', 'application/grpc+proto']);

type UnaryImpl = (request: MessageShape<DescMethodUnary['input']>, context: HandlerContext) => unknown;

interface UnaryMethod {
  readonly method: DescMethodUnary;
  readonly impl: UnaryImpl;
}

export interface UnaryOptions {
  readonly readMaxBytes: number;
  readonly shutdownSignal: AbortSignal;
  /** Throws for a caller that may not call it; asked before a byte of the message is read. */
  readonly gate: (context: HandlerContext) => void;
  readonly errorOf: (method: string, error: unknown) => ConnectError;
}

/**
 * Calls of one message and one answer, which is what agents send by far the most of: a heartbeat through Connect's
 * general machinery costs several times what its bytes do. What is not plain gRPC is left to Connect.
 */
export class UnaryCalls {
  readonly #methods = new Map<string, UnaryMethod>();
  readonly #options: UnaryOptions;

  constructor(options: UnaryOptions) {
    this.#options = options;
  }

  /** A router that notes unary methods here, and hands everything on to Connect's. */
  noting(router: ConnectRouter): ConnectRouter {
    const service: ConnectRouter['service'] = (desc, implementation, options) => {
      for (const method of desc.methods) {
        const impl = (implementation as Record<string, unknown>)[method.localName];
        if (method.methodKind !== 'unary' || typeof impl !== 'function') continue;
        const bound = impl.bind(implementation) as UnaryImpl;
        this.#methods.set(`/${desc.typeName}/${method.name}`, {
          method: method as DescMethodUnary,
          impl: bound,
        });
      }
      router.service(desc, implementation, options);
      return noted;
    };
    const noted: ConnectRouter = Object.assign(Object.create(router) as ConnectRouter, { service });
    return noted;
  }

  /** False when it is none of these calls, and nothing was done. */
  handle(request: Http2ServerRequest, response: Http2ServerResponse, peer: Peer): boolean {
    const unary = this.#methods.get(request.url);
    const { headers } = request;
    const encoding = headers['grpc-encoding'] ?? 'identity';
    const timeout = headers['grpc-timeout'] ?? '';
    if (
      !unary ||
      request.method !== 'POST' ||
      !PLAIN.has(headers['content-type']) ||
      encoding !== 'identity' ||
      !TIMEOUT.test(String(timeout))
    )
      return false;
    void this.#answer(unary, request, response, peer);
    return true;
  }

  /** Never rejects. */
  async #answer(
    { method, impl }: UnaryMethod,
    request: Http2ServerRequest,
    response: Http2ServerResponse,
    peer: Peer,
  ): Promise<void> {
    const { stream } = response;
    try {
      const context = new UnaryContext(method, request, peer);
      this.#options.shutdownSignal.throwIfAborted();
      this.#options.gate(context);
      const bytes = await readMessage(request, this.#options.readMaxBytes);
      const answer = create(
        method.output,
        (await impl(decoded(method, bytes), context)) as Record<string, unknown>,
      );
      if (!stream.destroyed) send(response, framed(toBinary(method.output, answer)));
    } catch (error) {
      refuseCall(stream, this.#options.errorOf(method.name, error));
    }
  }
}

/** Ends a call without an answer. Does nothing for one that has ended. */
export function refuseCall(stream: ServerHttp2Stream, { code, rawMessage }: ConnectError): void {
  if (stream.destroyed || stream.headersSent) return;
  const status = {
    'grpc-status': String(code),
    'grpc-message': encodeURIComponent(rawMessage.toWellFormed()),
  };
  stream.respond({ ...HEAD, ...status }, { endStream: true });
  // What the peer goes on sending is read by nobody.
  stream.close();
}

function send(response: Http2ServerResponse, frame: Buffer): void {
  response.writeHead(HEAD[':status'], { 'content-type': HEAD['content-type'] });
  response.addTrailers({ 'grpc-status': '0' });
  response.end(frame);
}

function framed(bytes: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + bytes.length);
  frame.writeUInt8(0, 0);
  frame.writeUInt32BE(bytes.length, 1);
  frame.set(bytes, PREFIX_BYTES);
  return frame;
}

function decoded(method: DescMethodUnary, bytes: Uint8Array): MessageShape<DescMethodUnary['input']> {
  try {
    return fromBinary(method.input, bytes);
  } catch {
    throw new ConnectError('the message can not be read', Code.InvalidArgument);
  }
}

/** The one message of a call. Rejects when there is none, more, or too much, or when the caller goes away. */
function readMessage(request: Http2ServerRequest, maxBytes: number): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxBytes + PREFIX_BYTES) chunks.push(chunk);
    else reject(new ConnectError(`message is larger than ${maxBytes} bytes`, Code.ResourceExhausted));
  });
  request.once('end', () => {
    const whole = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
    if (whole.length < PREFIX_BYTES || whole.readUInt32BE(1) !== whole.length - PREFIX_BYTES)
      reject(new ConnectError('a call of one message is due', Code.InvalidArgument));
    else if (whole.readUInt8(0) !== 0)
      reject(
        new ConnectError('a compressed message without a name for its compression', Code.InvalidArgument),
      );
    else resolve(whole.subarray(PREFIX_BYTES));
  });
  const gone = (): void => reject(GONE);
  request.once('aborted', gone);
  request.once('close', gone);
  request.once('error', gone);
  return promise;
}

const GONE = new ConnectError('the caller is gone', Code.Canceled);

/** What handlers see of a call; most of it is made only when somebody looks. */
class UnaryContext implements HandlerContext {
  readonly values;
  readonly method;
  readonly protocolName = 'grpc';
  readonly requestMethod = 'POST';
  readonly url: string;
  readonly #request: Http2ServerRequest;
  #gone: AbortController | undefined;

  constructor(method: DescMethodUnary, request: Http2ServerRequest, peer: Peer) {
    this.method = method;
    this.url = request.url;
    this.#request = request;
    this.values = createContextValues().set(PEER, peer);
  }

  get service() {
    return this.method.parent;
  }

  /** Nothing is read of a caller's head, and nothing added to ours. */
  get requestHeader(): Headers {
    return new Headers();
  }

  get responseHeader(): Headers {
    return new Headers();
  }

  get responseTrailer(): Headers {
    return new Headers();
  }

  /** Fires when the caller goes away. */
  get signal(): AbortSignal {
    if (!this.#gone) {
      const gone = (this.#gone = new AbortController());
      this.#request.once('close', () => gone.abort(GONE));
    }
    return this.#gone.signal;
  }

  timeoutMs(): undefined {
    return undefined;
  }
}

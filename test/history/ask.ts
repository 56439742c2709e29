import { request } from 'node:http';

/** What came of a request: an answer, or none. */
export type Reply =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly value: unknown;
      /** `Skep-Revision`, where the answer has it. */
      readonly revision: number | undefined;
      /** Whether it says of itself that it may be old. */
      readonly isStale: boolean;
    }
  /** Nobody listened: nothing was sent. */
  | { readonly kind: 'unsent' }
  | { readonly kind: 'broken'; readonly reason: string };

/** Longer than a manager waits for a leader. */
const ASK_MS = 20_000;

/** One request at a socket, with a JSON body where one is given. Never rejects. */
export function ask(socketPath: string, method: string, path: string, body?: unknown): Promise<Reply> {
  return new Promise((resolve) => {
    const broken = (error: Error): void => {
      const code = 'code' in error ? error.code : undefined;
      const isUnsent = code === 'ECONNREFUSED' || code === 'ENOENT';
      resolve(isUnsent ? { kind: 'unsent' } : { kind: 'broken', reason: error.message });
    };
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const signal = AbortSignal.timeout(ASK_MS);
    const call = request({ socketPath, method, path, headers, signal, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', broken);
      response.on('end', () => {
        const told = response.headers['skep-revision'];
        resolve({
          kind: 'answer',
          status: response.statusCode ?? 500,
          value: parsed(Buffer.concat(chunks).toString('utf8')),
          revision: typeof told === 'string' ? Number(told) : undefined,
          isStale: response.headers['skep-stale'] !== undefined,
        });
      });
    });
    call.on('error', broken);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

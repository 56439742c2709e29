import { createReadStream } from 'node:fs';
import { request } from 'node:http';
import { pipeline } from 'node:stream/promises';

/** One call to an engine at its socket. Gives the parsed body (or text); rejects on 4xx and 5xx, or after `timeoutMs`. */
export function engineCall(
  socketPath: string,
  method: string,
  path: string,
  options: { file?: string; timeoutMs?: number } = {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const headers = options.file === undefined ? {} : { 'content-type': 'application/x-tar' };
    const signal = AbortSignal.timeout(options.timeoutMs ?? 30_000);
    const call = request({ socketPath, method, path, headers, signal }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        if ((response.statusCode ?? 500) >= 400) reject(new Error(`${method} ${path}: ${text}`));
        else resolve(parsed(text));
      });
    });
    call.on('error', reject);
    if (options.file === undefined) call.end();
    else pipeline(createReadStream(options.file), call).catch(reject);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

import { Agent, request } from 'node:http';

/** Latencies of one operation, in milliseconds. */
export interface Figures {
  count: number;
  p50Ms: number;
  p99Ms: number;
}

export function figuresOf(samplesMs: readonly number[]): Figures {
  const sorted = [...samplesMs].sort((a, b) => a - b);
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN;
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99) };
}

export function ms(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(1);
}

/** A Docker client with kept connections; `base` is `http://host:port`. */
export class Client {
  readonly #base: string;
  readonly #agent: Agent;

  constructor(base: string, connections = 1) {
    this.#base = base;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Resolves with the status and the body. Rejects on a status that was not expected. */
  call(method: string, path: string, json?: unknown): Promise<{ status: number; body: Buffer }> {
    const body = json === undefined ? undefined : JSON.stringify(json);
    return new Promise((resolve, reject) => {
      const req = request(
        `${this.#base}${path}`,
        {
          method,
          agent: this.#agent,
          headers:
            body === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
        },
        (res) => {
          const chunks: Buffer[] = [];
          res.on('data', (chunk: Buffer) => chunks.push(chunk));
          res.on('error', reject);
          res.on('end', () => {
            const status = res.statusCode ?? 0;
            const whole = Buffer.concat(chunks);
            if (status >= 400)
              reject(new Error(`${method} ${path}: ${status} ${whole.toString('utf8', 0, 300)}`));
            else resolve({ status, body: whole });
          });
        },
      );
      req.on('error', reject);
      req.end(body);
    });
  }

  async json(method: string, path: string, json?: unknown): Promise<Record<string, unknown>> {
    const { body } = await this.call(method, path, json);
    return JSON.parse(body.toString('utf8')) as Record<string, unknown>;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Milliseconds that `task` takes. */
export async function timed(task: () => Promise<unknown>): Promise<number> {
  const from = process.hrtime.bigint();
  await task();
  return Number(process.hrtime.bigint() - from) / 1e6;
}

/** Requests a second that `clients` loops of `task` reach in about `durationMs`. */
export async function throughput(
  clients: number,
  durationMs: number,
  task: (client: number) => Promise<unknown>,
): Promise<number> {
  const from = performance.now();
  let done = 0;
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      while (performance.now() - from < durationMs) {
        await task(client);
        done += 1;
      }
    }),
  );
  return (done / (performance.now() - from)) * 1000;
}

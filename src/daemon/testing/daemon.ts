import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SYSTEM_TIMES } from '../../base/clock.ts';
import { createLog } from '../../base/log.ts';
import { startApiServer } from '../../docker-api/index.ts';
import { parseEngineAddress } from '../../engine/index.ts';
import { createApi } from '../api.ts';
import { LocalEngine } from '../local-engine.ts';
import { openState } from '../open-state.ts';
import { RecentEvents } from '../recent-events.ts';
import { StateFolder } from '../state-folder.ts';
import { SwarmLife, type LifeOptions } from '../swarm-life.ts';
import { FakeEngine } from './fake-engine.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly value: unknown;
  readonly message: string;
}

/** A daemon in this process, with an engine that is a fake and a manager without a port. */
export interface TestDaemon extends AsyncDisposable {
  readonly engine: FakeEngine;
  readonly life: SwarmLife;
  readonly folder: StateFolder;
  /** Where its API listens. */
  readonly socket: string;
  call(method: string, path: string, body?: unknown): Promise<Answer>;
}

export async function startDaemon(parts: Partial<LifeOptions> = {}): Promise<TestDaemon> {
  const disk = mkdtempSync(join(tmpdir(), 'swarmd-'));
  const fake = await new FakeEngine(join(disk, 'engine.sock')).start();
  const engine = new LocalEngine(parseEngineAddress(`unix://${fake.path}`));
  const folder = new StateFolder(join(disk, 'state'));
  const log = createLog('fatal');
  const times = SYSTEM_TIMES;
  const events = new RecentEvents();
  const stopping = new AbortController();
  const life = new SwarmLife({
    folder,
    openState: () => openState('sqlite', folder, { times, log }),
    startManager: (_context, { nodeId }) => {
      fake.becomes = nodeId;
      return Promise.resolve({
        port: 2377,
        logs: { subscribe: () => (async function* nothing() {})() },
        engineToken: () => 'TOKEN',
        close: () => Promise.resolve(),
      });
    },
    engine,
    events,
    times,
    log,
    ...parts,
  });
  const socket = join(disk, 'api.sock');
  const handle = createApi({ engine, life, events, times, log, stopping: stopping.signal });
  const server = await startApiServer({ listen: [{ kind: 'unix', path: socket }], handle });
  return {
    engine: fake,
    life,
    folder,
    socket,
    call: (method, path, body) => ask(socket, method, path, body),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await server.close(0);
      await life.close();
      await engine.close();
      await fake.stop();
      rmSync(disk, { recursive: true, force: true });
    },
  };
}

function ask(socketPath: string, method: string, path: string, body: unknown): Promise<Answer> {
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path, headers, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const value = parsed(text);
        const message = (value as { message?: string } | undefined)?.message ?? '';
        resolve({ status: res.statusCode ?? 0, headers: { ...res.headers }, value, message });
      });
    });
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

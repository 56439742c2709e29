import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from '../hosts/index.ts';
import { freePort, ServerProcess, type ServerPlan } from './server-process.ts';

/** Where a server is to be. */
export interface PlaceOptions {
  /** The address to listen at: 127.0.0.1 if nothing is said; `subnet.1` of test hosts is one that they reach. */
  readonly listen?: string;
  /** Runs in this host's network and listens at its address (at `port`, the usual one if nothing is said). */
  readonly on?: Host;
  readonly port?: number;
}

/** A real server of a discovery store. `await using` or stop it. */
export interface StoreServer extends AsyncDisposable {
  /** ip:port, as the discovery argument takes it. */
  readonly endpoint: string;
  /** Ends it in order; its data stays for `start`. */
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** Freezes it: connections are accepted, nothing is answered. */
  pause(): void;
  resume(): void;
  /** Starts it again; `empty`: its data is lost. */
  start(options?: { readonly empty?: boolean }): Promise<void>;
  /** Stops and starts. */
  restart(options?: { readonly empty?: boolean }): Promise<void>;
  log(): string;
}

/** What a server is told of its place. */
export interface Place {
  /** Of its own; removed at the end. */
  readonly folder: string;
  readonly data: string;
  readonly ip: string;
  readonly port: number;
  /** Further ports, as many as were asked for. */
  readonly more: readonly number[];
}

export interface StorePlan {
  readonly name: string;
  /** Where clients look for it. */
  readonly usualPort: number;
  /** How many ports it needs besides. */
  readonly morePorts: number;
  readonly options: PlaceOptions;
  /** Kept at the end; a new one, removed at the end, if nothing is said. */
  readonly dataDir?: string;
  readonly server: (place: Place) => Pick<ServerPlan, 'command' | 'args' | 'ready' | 'env'>;
}

/** Starts a server on free ports and waits until it serves. */
export async function startStoreServer(plan: StorePlan): Promise<{ store: StoreServer; place: Place }> {
  for (let tries = 1; ; tries++) {
    try {
      return await startOnce(plan);
    } catch (error) {
      // Between the choice of a port and its use another process may have taken it.
      if (tries === 5 || !/address already in use/i.test(String(error))) throw error;
    }
  }
}

async function startOnce(plan: StorePlan): Promise<{ store: StoreServer; place: Place }> {
  const { on, listen, port } = plan.options;
  const folder = mkdtempSync(join(tmpdir(), `skep-${plan.name}-`));
  const data = plan.dataDir ?? join(folder, 'data');
  const ip = on?.ip ?? listen ?? '127.0.0.1';
  const first = port ?? (on ? plan.usualPort : await freePort(ip));
  const more: number[] = [];
  for (let at = 1; at <= plan.morePorts; at++) more.push(on ? first + at : await freePort(ip));
  const place = { folder, data, ip, port: first, more };
  const networkOf = on?.initPid;
  const server = new ServerProcess({
    name: plan.name,
    ...plan.server(place),
    logFile: join(folder, 'log'),
    ...(networkOf === undefined ? {} : { networkOf }),
  });
  const start = async (how: { readonly empty?: boolean } = {}): Promise<void> => {
    if (how.empty) rmSync(data, { recursive: true, force: true });
    await server.start();
  };
  const dispose = async (): Promise<void> => {
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await dispose();
    throw error;
  }
  const store = {
    endpoint: `${ip}:${first}`,
    stop: () => server.stop(),
    kill: () => server.kill(),
    pause: () => server.pause(),
    resume: () => server.resume(),
    start,
    restart: async (how?: { readonly empty?: boolean }) => {
      await server.stop();
      await start(how);
    },
    log: () => server.log(),
    [Symbol.asyncDispose]: dispose,
  };
  return { store, place };
}

import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeEngineOptions {
  containers?: number;
  id?: string;
  /** Answers instead of the engine; true when it has. */
  intercept?: (path: string, res: ServerResponse) => boolean;
}

/**
 * A Docker Engine as far as the manager's pool looks at one: for more engines than a machine holds, and for faults
 * that a real one does not show when asked to.
 */
export class FakeEngine {
  readonly name: string;
  id: string;
  intercept: (path: string, res: ServerResponse) => boolean;
  readonly #server: Server;
  readonly #containers: Map<string, { summary: unknown; inspected: unknown }>;
  readonly #followers = new Set<ServerResponse>();
  #port = 0;

  constructor(index: number, options: FakeEngineOptions = {}) {
    this.name = `node-${String(index).padStart(4, '0')}`;
    this.id = options.id ?? `ID:${this.name}`;
    this.intercept = options.intercept ?? (() => false);
    this.#containers = new Map(
      Array.from({ length: options.containers ?? 0 }, (_, i) => {
        const id = (index * 100_000 + i).toString(16).padStart(8, '0').repeat(8);
        return [id, fakeContainer(id, `app-${index}-${i}`)];
      }),
    );
    this.#server = createServer((req, res) => {
      const url = new URL(req.url ?? '/', 'http://engine');
      const path = url.pathname.replace(/^\/v[\d.]+/, '');
      if (this.intercept(path, res)) return;
      if (path === '/events') {
        res.writeHead(200, { 'content-type': 'application/json' });
        res.flushHeaders();
        this.#followers.add(res);
        res.once('close', () => this.#followers.delete(res));
        return;
      }
      const answer = this.#answer(path);
      res.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
      res.end(JSON.stringify(answer ?? { message: 'page not found' }));
    });
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Listens; after a stop, at the same port. */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  /** Writes to everybody who follows the events. */
  tell(text: string): void {
    for (const follower of this.#followers) follower.write(text);
  }

  #answer(path: string): unknown {
    if (path === '/version') return { Version: '20.10.24', ApiVersion: '1.41', MinAPIVersion: '1.12' };
    if (path === '/info') {
      return {
        ID: this.id,
        Name: this.name,
        ServerVersion: '20.10.24',
        NCPU: 4,
        MemTotal: 8 * 2 ** 30,
        Driver: 'overlay2',
      };
    }
    if (path === '/containers/json') return [...this.#containers.values()].map(({ summary }) => summary);
    if (path === '/images/json' || path === '/networks') return [];
    if (path === '/volumes') return { Volumes: [], Warnings: null };
    const id = /^\/containers\/([^/]+)\/json$/.exec(path)?.[1];
    return id === undefined ? undefined : this.#containers.get(id)?.inspected;
  }
}

function fakeContainer(id: string, name: string): { summary: unknown; inspected: unknown } {
  const startedAt = new Date(Date.now() - 3 * 86_400_000).toISOString();
  const labels = {
    'com.docker.compose.project': 'app',
    'com.docker.compose.service': name,
    'com.docker.swarm.id': id,
  };
  return {
    summary: {
      Id: id,
      Names: [`/${name}`],
      Image: 'registry.example.com/team/app:1.2.3',
      ImageID: `sha256:${id}`,
      Command: '/usr/local/bin/app --listen :8080',
      Created: Math.floor(Date.now() / 1000) - 3 * 86_400 + (Number.parseInt(id.slice(0, 8), 16) % 1000),
      Ports: [{ IP: '0.0.0.0', PrivatePort: 8080, PublicPort: 8080, Type: 'tcp' }],
      Labels: labels,
      State: 'running',
      Status: 'Up 3 days',
      HostConfig: { NetworkMode: 'default' },
      NetworkSettings: {
        Networks: {
          bridge: {
            NetworkID: id,
            EndpointID: id,
            Gateway: '172.17.0.1',
            IPAddress: '172.17.0.2',
            IPPrefixLen: 16,
          },
        },
      },
      Mounts: [],
    },
    inspected: {
      Id: id,
      Name: `/${name}`,
      State: { Status: 'running', StartedAt: startedAt, FinishedAt: '0001-01-01T00:00:00Z', ExitCode: 0 },
      HostConfig: { CpuShares: 0, NanoCpus: 0, Memory: 0, NetworkMode: 'default', PortBindings: {} },
      Config: {},
    },
  };
}

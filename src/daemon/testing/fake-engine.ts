import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';

/** An engine as far as a daemon looks at it: it can be in a swarm, refuse to join, and go away. */
export class FakeEngine implements AsyncDisposable {
  readonly path: string;
  /** `METHOD path` of every request, in order. */
  readonly asked: string[] = [];
  /** The body of the last join. */
  joined: Record<string, unknown> = {};
  swarm: { LocalNodeState: string; NodeID: string; Error: string; NodeAddr?: string } = OUTSIDE;
  /** `host:port` of the managers that it knows. */
  managers: readonly string[] = [];
  /** Where it keeps its data. */
  dataRoot = '/nowhere';
  /** Its containers, by their ids, as their own route gives them. */
  readonly containers = new Map<string, object>();
  /** What a join says instead of joining. */
  refusal: string | undefined;
  /** Its connection breaks when it has joined. */
  isLostAtJoin = false;
  /** It is about to stop: who is connected is answered, nobody else. */
  isStopping = false;
  /** The id of the node that a join makes of it. */
  becomes = '';
  #server: Server | undefined;

  constructor(path: string) {
    this.path = path;
  }

  async start(): Promise<this> {
    const server = createServer((req, res) => {
      this.#answer(req, res).catch(() => res.destroy());
    });
    server.listen(this.path);
    await once(server, 'listening');
    this.#server = server;
    return this;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = (req.url ?? '').replace(/^\/v[\d.]+/, '').replace(/\?.*$/, '');
    const route = `${req.method} ${path}`;
    this.asked.push(`${req.method} ${req.url}`);
    const text = (await req.setEncoding('utf8').toArray()).join('');
    const send = (status: number, value?: unknown): void => {
      res.writeHead(status, { 'content-type': 'application/json' });
      res.end(value === undefined ? '' : JSON.stringify(value));
    };
    switch (route) {
      case 'GET /version':
        send(200, {
          ApiVersion: '1.41',
          MinAPIVersion: '1.12',
          Components: [{ Name: 'Engine', Details: {} }],
        });
        break;
      case 'GET /info':
        if (this.isStopping) this.#server?.close();
        send(200, {
          ...{ ID: 'engine', NCPU: 2, DockerRootDir: this.dataRoot },
          Swarm: { ...this.swarm, RemoteManagers: this.managers.map((Addr) => ({ Addr })) },
        });
        break;
      case 'GET /networks':
        send(200, []);
        break;
      case 'GET /events':
        res.writeHead(200, { 'content-type': 'application/json' });
        res.flushHeaders();
        // One that is past.
        if (/[?&]until=/.test(req.url ?? ''))
          res.end('{"Type":"container","Action":"start","time":1,"timeNano":1000000000}\n');
        break;
      case 'POST /swarm/join':
        this.joined = JSON.parse(text) as Record<string, unknown>;
        if (this.refusal === undefined) this.swarm = { ...ACTIVE, NodeID: this.becomes };
        if (this.isLostAtJoin) res.destroy();
        else send(this.refusal === undefined ? 200 : 503, this.refusal && { message: this.refusal });
        break;
      case 'POST /swarm/leave':
        this.swarm = OUTSIDE;
        send(200);
        break;
      default: {
        const [, noun, id = ''] = path.split('/');
        const { containers } = this;
        if (noun !== 'containers' || containers.size === 0) send(418, { message: `engine: ${route}` });
        else if (id === 'json') send(200, [...containers.values()]);
        else send(containers.has(id) ? 200 : 404, containers.get(id) ?? { message: 'No such container' });
      }
    }
  }
}

const OUTSIDE = { LocalNodeState: 'inactive', NodeID: '', Error: '' };
const ACTIVE = { LocalNodeState: 'active', NodeID: '', Error: '' };

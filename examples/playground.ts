// The playground of `npm start`: three real Docker Engines, and over them both halves of Skep: a manager that makes one
// Docker of them, and a swarm that runs services. Everything is removed at its end; an engine that already runs on this
// machine is not touched.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { startHosts } from '../test/hosts/index.ts';
import { Services } from './playground/services.ts';
import { docker, step } from './playground/show.ts';
import { VirtualHost } from './playground/virtual-host.ts';

/** The first port from `first` on that nothing listens at. */
async function freePort(first: number): Promise<number> {
  for (let port = first; port < first + 100; port++) {
    const server = createServer();
    const listening = once(server.listen(port, '127.0.0.1'), 'listening');
    const free = await listening.then(
      () => true,
      () => false,
    );
    if (!free) continue;
    server.close();
    return port;
  }
  throw new Error(`no free port from ${first} on`);
}

function whatNext(host: string, web: string, swarm: string, pages: readonly string[]): string {
  return `
It is up: three Docker Engines under one roof. In another terminal:

The virtual host, one Docker out of three. It has the containers of services, too:

  export DOCKER_HOST=${host}
  docker ps
  docker run -d --name more -e constraint:storage==disk nginx
  docker exec -it web sh
  curl ${web}

Services, kept running by swarmd on core-01; on core-02 and core-03 it helps to balance:

  export DOCKER_HOST=${swarm}
  docker service ps shop_web
  docker service scale shop_web=5
  docker service logs shop_web
  docker network create --driver overlay --attachable my-net
  docker service create --name api --network my-net --replicas 3 -p 8080:80 nginx
  docker run --rm --network my-net busybox wget -qO- http://api
  docker node update --availability drain core-03
  curl ${pages[0]}     also ${pages.slice(1).join(' ')}

The hosts have busybox, nginx and redis stand-ins; there is no registry to pull from.

Ctrl-C ends it and removes everything.`;
}

const asked = new AbortController();
// A terminal that was closed takes no more words, which is no reason not to end in order.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
/** Settles at the first SIGINT or SIGTERM, or when the terminal is closed. */
const ended = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      asked.abort();
      resolve();
    });
});

/** Brings everything up and rejects when a part of it ends by itself. What has to be ended goes into `all`. */
async function play(all: AsyncDisposableStack): Promise<void> {
  step('starting three Docker Engines as hosts core-01, core-02, core-03');
  const labels = [{ storage: 'ssd' }, { storage: 'ssd' }, { storage: 'disk' }];
  const dockerdEnv = { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' }; // there is no registry to ask
  const starting = startHosts({ count: 3, labels, dockerdEnv, handleSignals: false });
  all.defer(async () => (await starting.catch(() => undefined))?.close());
  const hosts = await starting;
  const port = await freePort(3375);
  // From here on nothing may start that its end would miss.
  asked.signal.throwIfAborted();
  const virtualHost = all.use(new VirtualHost(hosts, port));
  const services = all.use(new Services(hosts));
  const up = async (): Promise<void> => {
    const web = await virtualHost.deploy();
    asked.signal.throwIfAborted();
    await services.start();
    const pages = await services.deploy();
    for (const words of [
      ['node', 'ls'],
      ['service', 'ls'],
    ])
      console.log(`\n$ docker ${words.join(' ')}\n${await docker(services.url, ...words)}`);
    console.log(`\n$ docker ps\n${await docker(virtualHost.url, 'ps')}`);
    console.log(whatNext(virtualHost.url, web, services.url, pages));
    await services.ended();
  };
  await Promise.race([up(), virtualHost.ended()]);
}

try {
  await using all = new AsyncDisposableStack();
  try {
    await Promise.race([play(all), ended]);
  } finally {
    console.log('\n> ending: the managers, the engines and everything on them');
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
process.exit(0);

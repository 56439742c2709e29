import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackedPackages } from '../hosts/debian.ts';
import { until } from '../hosts/index.ts';

/** For `extraDockerdArgs`: engines speak plain HTTP with the registry of a test. */
export const REGISTRY_ARGS = ['--insecure-registry=10.213.0.0/16'];

export interface Registry extends AsyncDisposable {
  /** host:port, as image names begin with it. */
  readonly name: string;
  /** Engines at these addresses are refused. */
  readonly refused: Set<string>;
  /** `user:password` that is asked for from now on; nobody is asked while it is empty. */
  login: string;
}

/** Debian's registry at `ip`, behind a door that can be closed to some. */
export async function startRegistry(ip: string): Promise<Registry> {
  const root = await unpackedPackages('bookworm', ['docker-registry']);
  const folder = mkdtempSync(join(tmpdir(), 'skep-registry-'));
  const refused = new Set<string>();
  let port = 0;
  const door = createServer((req, res) => {
    const from = req.socket.remoteAddress ?? '';
    if (refused.has(from)) {
      res.writeHead(404, { 'content-type': 'application/json' });
      res.end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"closed to you"}]}');
      return;
    }
    const wanted = `Basic ${Buffer.from(registry.login).toString('base64')}`;
    if (registry.login !== '' && req.headers.authorization !== wanted) {
      res.writeHead(401, { 'content-type': 'application/json', 'www-authenticate': 'Basic realm="test"' });
      res.end('{"errors":[{"code":"UNAUTHORIZED","message":"who are you?"}]}');
      return;
    }
    const { url: path = '/', method = 'GET', headers } = req;
    const onward = request({ host: ip, port, path, method, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    req.pipe(onward);
  });
  door.listen(0, ip);
  await once(door, 'listening');
  const doorPort = (door.address() as AddressInfo).port;
  port = doorPort === 65_535 ? 1_024 : doorPort + 1;
  const config = join(folder, 'config.yml');
  const storage = join(folder, 'data');
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${storage}}}\nhttp: {addr: "${ip}:${port}"}\n`,
  );
  const child = spawn(join(root, 'usr/bin/docker-registry'), ['serve', config], { stdio: 'ignore' });
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    door.closeAllConnections();
    door.close();
    child.kill('SIGTERM');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  const name = `${ip}:${doorPort}`;
  const registry: Registry = { name, refused, login: '', [Symbol.asyncDispose]: stop };
  try {
    await until('the registry', 10_000, async () =>
      (await fetch(`http://${name}/v2/`)).ok ? true : undefined,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return registry;
}

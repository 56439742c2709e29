import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { etcdEnv } from './etcd-args.ts';
import { findEtcd } from './find-etcd.ts';
import { clientListenUrls, clientUrl, peerUrl } from './places.ts';

function folderWith(script: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'skep-find-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'etcd'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return folder;
}

const saying = (version: string): string => folderWith(`echo "etcd Version: ${version}"; echo "Git SHA: 0"`);

it('finds the first etcd that is new enough, and passes by what is none', async () => {
  const [old, none, good] = [saying('3.3.25'), folderWith('exit 1'), saying('3.4.23')];
  const found = await findEtcd([none, '/nowhere', old, good, saying('3.5.16')].join(':'));
  expect(found).toEqual({ path: join(good, 'etcd'), version: '3.4.23' });
});

it('hands etcd nothing of the environment but PATH', () => {
  const env = { PATH: '/bin', ETCD_NAME: 'x', HTTPS_PROXY: 'http://proxy:1', HOME: '/root' };
  expect(etcdEnv(env, 'x64')).toEqual({ PATH: '/bin' });
  expect(etcdEnv({}, 'arm64')).toEqual({ ETCD_UNSUPPORTED_ARCH: 'arm64' });
});

it('names places as etcd wants them', () => {
  const ports = { client: 1, peer: 2 };
  expect(peerUrl({ host: 'fd00::1', ports })).toBe('https://[fd00::1]:2');
  expect(clientUrl({ host: 'a.example', ports })).toBe('https://a.example:1');
  expect(clientListenUrls({ host: '10.0.0.1', listen: '10.0.0.1', ports })).toEqual([
    'https://10.0.0.1:1',
    'https://127.0.0.1:1',
  ]);
  expect(clientListenUrls({ host: '10.0.0.1', listen: '0.0.0.0', ports })).toEqual(['https://0.0.0.0:1']);
});

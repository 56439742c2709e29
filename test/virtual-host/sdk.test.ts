import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run, startHosts, until, type Hosts } from '../hosts/index.ts';
import { startSwarm, type Swarm } from './manager.ts';
import { call } from './raw.ts';

let hosts: Hosts;
let swarm: Swarm;
let docker: Docker;

beforeAll(async () => {
  hosts = await startHosts({ count: 2, engine: ['20.10', '28.5'] });
  swarm = await startSwarm(hosts);
  const { hostname, port } = new URL(swarm.url);
  docker = new Docker({ host: hostname, port: Number(port) });
}, 120_000);

afterAll(async () => {
  await swarm?.stop();
  await hosts?.close();
}, 60_000);

/** The core of docker-py, and how it names what goes wrong. */
const PYTHON = `
import docker, io, os, socket, tarfile, threading

def tar(name, data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w') as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()

def raises(kind, task):
    try:
        task()
    except kind as error:
        return error
    raise AssertionError('no ' + kind.__name__)

c = docker.DockerClient(base_url=os.environ['DOCKER_HOST'], version='auto', timeout=30)
assert c.containers.run('busybox', 'echo hello', remove=True) == b'hello\\n'
failed = raises(docker.errors.ContainerError, lambda: c.containers.run('busybox', ['sh', '-c', 'echo no >&2; exit 3'], remove=True))
assert (failed.exit_status, failed.stderr) == (3, b'no\\n')

for node in ('core-01', 'core-02'):
    d = c.containers.run('busybox', 'sleep 1000', detach=True, environment=['constraint:node==' + node], ports={'80/tcp': None})
    d.reload()
    assert d.attrs['Node']['Name'] == node and d.status == 'running', d.attrs['Node']
    assert d.exec_run(['sh', '-c', 'echo a; echo b >&2; exit 2'], demux=True) == (2, (b'a\\n', b'b\\n'))
    raw = d.exec_run('cat', stdin=True, socket=True).output._sock
    raw.sendall(b'half')
    raw.shutdown(socket.SHUT_WR)
    echoed = b''
    while chunk := raw.recv(100):
        echoed += chunk
    assert echoed[8:] == b'half', echoed
    # With a newline: engines lose a last line without one now and then (moby/moby#43860).
    assert d.put_archive('/tmp', tar('f', b'abc\\n'))
    bits, stat = d.get_archive('/tmp/f')
    assert stat['name'] == 'f' and b'abc' in b''.join(bits)
    d.rename('kept')
    image = d.commit('kept', 'v1')
    assert c.containers.run('kept:v1', 'cat /tmp/f', remove=True) == b'abc\\n'
    d.remove(force=True)
    c.images.remove('kept:v1')

seen = c.events(decode=True, filters={'label': 'watched=1'})
kinds = []
def watch():
    for event in seen:
        kinds.append(event['Action'])
        if event['Action'] == 'destroy':
            return
watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
c.containers.run('busybox', 'true', labels={'watched': '1'}, remove=True)
watcher.join(10)
assert kinds[0] == 'create' and kinds[-1] == 'destroy', kinds

built, log = c.images.build(fileobj=io.BytesIO(b'FROM busybox\\nRUN echo hi > /hi\\n'), tag='made:1', rm=True)
archive = b''.join(built.save(named=True))
c.images.remove('made:1')
assert [image.tags for image in c.images.load(archive)] == [['made:1']]
assert c.containers.run('made:1', 'cat /hi', remove=True) == b'hi\\n'
c.images.remove('made:1')
raises(docker.errors.BuildError, lambda: c.images.build(fileobj=io.BytesIO(b'FROM busybox\\nRUN false\\n'), rm=True, forcerm=True))

network = c.networks.create('pynet', driver='bridge')
peer = c.containers.run('busybox', 'sleep 1000', detach=True, network='pynet', name='peer')
network.reload()
assert network.containers == [peer]
c.containers.run('busybox', 'ping -c1 peer', network='pynet', remove=True)
peer.remove(force=True)
network.remove()

volume = c.volumes.create('pyvol', labels={'a': 'b'})
assert [each.name for each in c.volumes.list(filters={'label': 'a=b'})] == ['core-01/pyvol', 'core-02/pyvol']
volume.remove()

for missing in (c.containers.get, c.images.get, c.networks.get, c.volumes.get):
    assert raises(docker.errors.NotFound, lambda: missing('nobody')).status_code == 404
assert raises(docker.errors.APIError, lambda: c.services.list()).status_code == 501

old = docker.APIClient(base_url=os.environ['DOCKER_HOST'], version='1.24')
made = old.create_container('busybox', 'echo old', name='old', host_config=old.create_host_config(port_bindings={80: None}), ports=[80])
old.start(made)
assert old.wait(made)['StatusCode'] == 0 and old.logs(made) == b'old\\n'
old.remove_container(made)
assert c.containers.list(all=True) == []
print('done')
`;

describe('docker-py', () => {
  it('does on two engines what it does on one', async () => {
    expect(await run('python3', ['-c', PYTHON], { env: { DOCKER_HOST: swarm.host } })).toBe('done');
  });
});

describe('dockerode', () => {
  it.each(['core-01', 'core-02'])('attaches on %s without its own words as input', async (node) => {
    const container = await docker.createContainer({
      Image: 'busybox',
      Cmd: ['cat'],
      OpenStdin: true,
      StdinOnce: true,
      Env: [`constraint:node==${node}`],
    });
    for (const round of ['first', 'second', 'third']) {
      const stream = await container.attach({ stream: true, stdin: true, stdout: true, hijack: true });
      let said = '';
      stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
      await container.start();
      stream.end(`${round}\n`);
      await container.wait();
      await until('the echo', 10_000, () => said.includes(`${round}\n`) || undefined);
      expect(said.slice(8)).toBe(`${round}\n`);
    }
    await container.remove();
  });
});

describe('plain HTTP', () => {
  it('sends clients with a careless base address to the clean path', async () => {
    const answer = await call(swarm.url, 'GET', '//v1.41//containers/../_ping?a=//b');
    expect([answer.status, answer.headers['location']]).toEqual([301, '/v1.41/_ping?a=//b']);
    const followed = await fetch(`${swarm.url}//v1.41/containers//json?all=1`);
    expect([followed.status, await followed.json()]).toEqual([200, []]);
    expect((await call(swarm.url, 'GET', '/containers/json/')).status).toBe(404);
  });

  it('answers OPTIONS', async () => {
    expect((await call(swarm.url, 'OPTIONS', '/containers/json')).status).toBe(200);
  });

  it('tells docker inspect that there is no such object at all', async () => {
    const { code, stderr } = await swarm.tryDocker(['inspect', 'nothing']);
    expect([code, stderr]).toEqual([1, 'Error: No such object: nothing\n']);
  });
});

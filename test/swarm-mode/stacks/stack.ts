import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { until } from '../../hosts/index.ts';
import type { ServiceSwarm } from '../services/service-swarm.ts';
import { meansTo, placesOf } from './names.ts';

/** Much of what a stack file can say. */
const STACK = `
version: "3.8"
services:
  web:
    image: nginx:latest
    depends_on: [db]
    ports: ["8085:80", { target: 80, published: 9095, mode: host }]
    networks: { front: { aliases: [www] }, back: {} }
    configs: [{ source: app, target: /etc/app.conf, mode: 0440 }]
    secrets: [pw]
    environment: { COLOUR: yellow }
    labels: { of: container }
    stop_grace_period: 1s
    deploy:
      replicas: 3
      labels: { of: service }
      placement: { max_replicas_per_node: 1, preferences: [{ spread: node.labels.zone }] }
      update_config: { parallelism: 0, order: stop-first, failure_action: rollback, monitor: 300ms }
      restart_policy: { condition: any, delay: 100ms }
      resources: { limits: { cpus: "0.5", memory: 64M }, reservations: { memory: 16M } }
  db:
    image: redis:latest
    networks: [back]
    volumes: ["data:/data", "/tmp:/host:ro", { type: tmpfs, target: /scratch }]
    deploy:
      endpoint_mode: dnsrr
      placement: { constraints: ["node.role == manager"] }
      update_config: { monitor: 300ms }
      restart_policy: { delay: 100ms }
  agent:
    image: busybox
    command: sleep 1000
    init: true
    healthcheck: { test: ["CMD", "true"], interval: 1s }
    networks: [front]
    deploy: { mode: global }
networks:
  front: { driver: overlay, attachable: true, ipam: { config: [{ subnet: 10.55.0.0/24 }] } }
  back: { internal: true, labels: { of: network } }
volumes: { data: { labels: { of: volume } } }
configs: { app: { file: ./app.conf } }
secrets: { pw: { file: ./pw } }
`;

/** The same without its agent, with another config and another image. */
const NEXT = STACK.replace(/^ {2}agent:[^]*?mode: global \}\n/m, '')
  .replace('{ app: { file: ./app.conf }', '{ app: { name: shop_app_2, file: ./app.conf }')
  .replace('image: redis:latest', 'image: alpine:latest\n    command: sleep 1000\n    init: true');

export function stackTests(get: () => ServiceSwarm): void {
  test.concurrent('a stack is deployed, changed, and removed without a trace', async () => {
    const swarm = get();
    const folder = mkdtempSync(join(tmpdir(), 'skep-stack-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'pw'), 'sesame');
    const deploy = async (stack: string, conf: string, ...options: string[]): Promise<string> => {
      writeFileSync(join(folder, 'stack.yml'), stack);
      writeFileSync(join(folder, 'app.conf'), conf);
      return swarm.docker('stack', 'deploy', ...options, '-c', join(folder, 'stack.yml'), 'shop');
    };
    const lines = async (...args: string[]): Promise<string[]> =>
      (await swarm.docker(...args)).split('\n').sort();
    const counts = (): Promise<string[]> =>
      lines('stack', 'services', 'shop', '--format', '{{.Name}} {{.Mode}} {{.Replicas}}');
    const converged = async (...wanted: string[]): Promise<void> => {
      await until('the stack has converged', 40_000, async () => {
        return (await counts()).join() === wanted.join() || undefined;
      });
    };

    const made = await deploy(STACK, 'hive=1');
    for (const words of ['network shop_front', 'secret shop_pw', 'config shop_app', 'service shop_web'])
      expect(made).toContain(`Creating ${words}`);
    const web = 'shop_web replicated 3/3 (max 1 per node)';
    await converged('shop_agent global 3/3', 'shop_db replicated 1/1', web);
    expect(await lines('stack', 'ls', '--format', '{{.Name}} {{.Services}}')).toContain('shop 3');
    const rows = await lines('stack', 'ps', 'shop', '--format', '{{.Name}} {{.DesiredState}} {{.Node}}');
    expect(rows).toHaveLength(7);
    expect(rows).toContain('shop_db.1 Running core-01');
    const tasks = await swarm.running('shop_web', 3);
    const [db] = await swarm.running('shop_db', 1);
    if (!db) throw new Error('no task');
    const { addresses: back } = await placesOf(swarm, 'shop_db', 'shop_back');
    for (const task of tasks) {
      expect(await swarm.exec(task, 'cat', '/etc/app.conf', '/run/secrets/pw')).toBe('hive=1sesame');
      await meansTo(swarm, task, { db: back, 'tasks.db': back, shop_db: back });
    }
    const { Config, HostConfig } = await swarm.container(db);
    expect(Config.Labels).toMatchObject({ 'com.docker.stack.namespace': 'shop' });
    expect(HostConfig['Mounts']).toHaveLength(3);
    expect(await swarm.docker('volume', 'inspect', 'shop_data', '--format', '{{.Labels.of}}')).toBe('volume');

    // The same again changes nothing.
    const version = (): Promise<string> =>
      swarm.inspect('shop_web', '{{.UpdateStatus}} {{.Spec.TaskTemplate.ForceUpdate}}');
    const before = await version();
    await deploy(STACK, 'hive=1');
    expect(await version()).toBe(before);
    expect((await swarm.running('shop_web', 3)).map(({ ID }) => ID).sort()).toEqual(
      tasks.map(({ ID }) => ID).sort(),
    );

    // A config's data can't change, another one can take its place.
    writeFileSync(join(folder, 'app.conf'), 'hive=2');
    expect(await swarm.refused('stack', 'deploy', '-c', join(folder, 'stack.yml'), 'shop')).toContain(
      'only updates to Labels are allowed',
    );
    await deploy(NEXT, 'hive=2', '--prune');
    await swarm.inspectUntil('shop_web', '{{.UpdateStatus.State}}', 'completed');
    await swarm.inspectUntil('shop_db', '{{.UpdateStatus.State}}', 'completed');
    await converged('shop_db replicated 1/1', web);
    for (const task of await swarm.running('shop_web', 3))
      expect(await swarm.exec(task, 'cat', '/etc/app.conf')).toBe('hive=2');
    expect((await swarm.running('shop_db', 1))[0]?.Image).toBe('alpine:latest');

    const removed = (await swarm.docker('stack', 'rm', 'shop')).split('\n');
    expect(removed).toEqual(
      expect.arrayContaining(['Removing service shop_web', 'Removing network shop_back']),
    );
    expect(await lines('stack', 'ls', '--format', '{{.Name}}')).not.toContain('shop');
    const left = (host: { docker(...args: string[]): Promise<string> }): Promise<string> =>
      Promise.all([
        host.docker('ps', '-aq', '-f', 'label=com.docker.stack.namespace=shop'),
        host.docker('network', 'ls', '-q', '-f', 'name=shop_'),
      ]).then((all) => all.join(''));
    for (const host of swarm.hosts)
      await until(
        `nothing is left on ${host.name}`,
        30_000,
        async () => (await left(host)) === '' || undefined,
      );
    for (const kind of ['network', 'secret', 'config', 'service'])
      expect(await swarm.docker(kind, 'ls', '-q', '-f', 'name=shop')).toBe('');

    const filters = ['--filter', 'type=network', '--filter', 'scope=swarm'];
    const format = ['--format', '{{.Action}} {{.Actor.Attributes.name}}'];
    await until('what happened to its networks was told', 10_000, async () => {
      const told = await lines('events', '--since', '10m', '--until', '0s', ...filters, ...format);
      const events = ['create', 'remove'].flatMap((action) => [
        `${action} shop_front`,
        `${action} shop_back`,
      ]);
      return events.every((event) => told.includes(event)) || undefined;
    });
  });
}

import type { Handler } from '../context.ts';

/** `GET /debug/vars`: the inside of the process, for whoever looks for a fault. Not there unless `--debug` was given. */
export const debugVars: Handler = (call, { config, pool, calls, leadership }) => {
  if (!config.debug) {
    call.refuse(404, 'page not found');
    return;
  }
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  const nowMs = performance.now();
  call.json(200, {
    version: config.version,
    node: process.versions.node,
    pid: process.pid,
    uptimeSeconds: Math.round(process.uptime()),
    memory: process.memoryUsage(),
    resources,
    leadership: { role: leadership.role, primary: leadership.primary ?? null, leads: leadership.leads() },
    discoveryTrouble: pool.discoveryTrouble,
    calls: [...calls.open].map(({ route, sinceMs, isStream }) => ({
      method: route.method,
      route: route.pattern,
      ms: Math.round(nowMs - sinceMs),
      isStream,
    })),
    nodes: pool.nodes().map((node) => ({
      name: node.name,
      address: node.address.text,
      state: node.state,
      trouble: node.trouble,
      failures: node.failures,
      followsEvents: node.following,
      isStale: node.inventory.stale,
      containers: node.inventory.containers.size,
      images: node.inventory.images.length,
      networks: node.inventory.networks.length,
      volumes: node.inventory.volumes.length,
    })),
  });
};

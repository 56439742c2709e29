import { fetchRoot } from '../ca/index.ts';
import { hostOf } from '../base/host-port.ts';
import type { Store } from '../store/index.ts';
import { engineSwarm } from './engine-swarm.ts';
import { systemAddresses } from './interfaces.ts';
import type { LocalEngine } from './local-engine.ts';

const LOOK_MS = 3_000;

/**
 * Where a manager of the swarm of this state answers that is not on this host, `host:port`: looked for at the managers that the state
 * knows, and at those that this host's engine does. Undefined where none does. Never rejects.
 */
export async function livingManager(store: Store, engine: LocalEngine): Promise<string | undefined> {
  const cluster = store.view.cluster();
  if (!cluster) return undefined;
  const own = new Set(systemAddresses().map(({ ip }) => ip));
  const ofEngine = await engineSwarm(engine, AbortSignal.timeout(LOOK_MS)).then(
    ({ managers }) => managers,
    () => [],
  );
  const ofState = [...store.view.all('node')].flatMap(({ managerAddr }) => managerAddr ?? []);
  const elsewhere = [...new Set([...ofEngine, ...ofState])].filter((addr) => !own.has(hostOf(addr)));
  const asked = elsewhere.map(async (addr) => {
    await fetchRoot(addr, cluster.rootCa.joinTokens.worker, LOOK_MS);
    return addr;
  });
  return Promise.any(asked).catch(() => undefined);
}

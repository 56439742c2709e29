// Fetches and makes what tests use beside the machine's own packages, before any test is timed.
import { PACKAGES, SUITE } from '../../image/recipe.ts';
import { systemd } from '../image/units.ts';
import { unpackedPackages } from './debian.ts';
import { ensureBuildx, ensureComposeV2, ensureEngine, type EngineVersion } from './engines.ts';
import { imageArchive } from './images.ts';
import { mariadbArchive } from '../guides/mariadb-image.ts';
import { responderArchive } from '../networks/responder-image.ts';
import { ensureConsul } from '../stores/consul.ts';
import { ensureEtcd } from '../stores/etcd.ts';
import { ensureZooKeeper } from '../stores/zookeeper.ts';

const versions: readonly EngineVersion[] = ['20.10', '26.1', '28.5'];
try {
  for (const version of versions) console.log(`prepare: engine ${(await ensureEngine(version)).version}`);
  await Promise.all([ensureBuildx(), ensureComposeV2()]);
  console.log('prepare: buildx, compose');
  await Promise.all([ensureEtcd('3.4'), ensureEtcd('3.5'), ensureZooKeeper()]);
  console.log('prepare: etcd, ZooKeeper');
  // Of a release that mirrors may have dropped: its suites then fail and say so, all others are run.
  await ensureConsul().then(
    () => console.log('prepare: Consul'),
    (error: unknown) => console.log(`prepare: MISSING, the suites of Consul will fail: ${String(error)}`),
  );
  await imageArchive();
  await Promise.all([responderArchive(), mariadbArchive()]);
  await unpackedPackages(SUITE, PACKAGES);
  console.log('prepare: images');
  await systemd();
  console.log('prepare: systemd');
} catch (error) {
  console.log(`prepare: missing: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

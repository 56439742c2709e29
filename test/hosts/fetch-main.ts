// Fetches and makes what tests use beside the machine's own packages, before any test is timed.
import { ensureBuildx, ensureComposeV2, ensureEngine, type EngineVersion } from './engines.ts';
import { imageArchive } from './images.ts';

const versions: readonly EngineVersion[] = ['20.10', '26.1', '28.5'];
try {
  for (const version of versions) console.log(`prepare: engine ${(await ensureEngine(version)).version}`);
  await Promise.all([ensureBuildx(), ensureComposeV2()]);
  console.log('prepare: buildx, compose');
  await imageArchive();
  console.log('prepare: images');
} catch (error) {
  console.log(`prepare: missing: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

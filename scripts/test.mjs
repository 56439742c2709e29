// `npm test`: everything, with a closing line "N passed, N failed". `--long`: more iterations, more engine versions.
// Other arguments go to vitest; with them the checks are left out: npm test -- test/hosts -t 'lose their link'
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { check } from './check.mjs';
import { endIfMissing, prepare, root } from './prepare.mjs';

const long = process.argv.includes('--long');
const filters = process.argv.slice(2).filter((arg) => arg !== '--long');

endIfMissing(prepare({ hosts: true, on: 'tests' }));
const { runtimePath } = await import('./runtime.mjs');
const runtime = runtimePath();

// Fetching is not the tests' business: a slow network would look like a slow engine.
const fetched = spawnSync(runtime, ['test/hosts/fetch-main.ts'], { cwd: root, stdio: 'inherit' });
if (fetched.status !== 0) process.exit(1);

const failures = filters.length > 0 ? [] : (await check({ unit: false })).map((name) => `check: ${name}`);

const session = randomBytes(8).toString('hex');
const folder = mkdtempSync(join(tmpdir(), 'skep-test-'));
const report = join(folder, 'report.json');
const reporters = ['--reporter', 'default', '--reporter', 'json', `--outputFile.json=${report}`];
const vitest = spawnSync(runtime, ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...filters], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, SKEP_TEST_SESSION: session, ...(long ? { SKEP_TEST_LONG: '1' } : {}) },
});
const { passed, failed, notRun } = readReport();
failures.push(...failed);
if (vitest.status !== 0 && failed.length === 0)
  failures.push(`vitest ended with ${vitest.status ?? vitest.signal}`);

const left = spawnSync(runtime, ['test/hosts/leftovers-main.ts', session], { cwd: root, encoding: 'utf8' });
if (left.status !== 0)
  failures.push(`left behind: ${(left.stdout + left.stderr).trim().replaceAll('\n', '; ')}`);
rmSync(folder, { recursive: true, force: true });

console.log('');
for (const name of notRun) console.log(name);
for (const name of failures) console.log(`failed: ${name}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;

/**
 * What vitest reports. A test that did not run is a failure, unless it was registered as one that no machine of this
 * kind can run: it.skip('not run: …').
 */
function readReport() {
  const [failedTests, skipped] = [[], []];
  if (!existsSync(report)) return { passed: 0, failed: ['vitest: no report'], notRun: [] };
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
  let passedTests = 0;
  for (const file of testResults) {
    const path = relative(root, file.name);
    for (const test of file.assertionResults) {
      if (test.status === 'passed') passedTests++;
      else if (test.status === 'failed') failedTests.push(`${path}: ${test.fullName}`);
      else if (/(^|\s)not run: /.test(test.fullName))
        skipped.push(`not run: ${test.fullName.split('not run: ')[1]}`);
      else if (!filters.includes('-t'))
        failedTests.push(`${path}: ${test.fullName}: did not run (${test.status})`);
    }
    const fine = file.status === 'passed' || file.assertionResults.some((test) => test.status === 'failed');
    if (!fine) failedTests.push(`${path}: ${file.message || 'failed outside its tests'}`);
  }
  if (passedTests === 0 && failedTests.length === 0) failedTests.push('no test ran');
  return { passed: passedTests, failed: failedTests, notRun: skipped };
}

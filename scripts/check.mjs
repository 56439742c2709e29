// `npm run check`: the quick part. Format, types, lint, rooms, unused code, unit tests; needs only npm packages.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { endIfMissing, prepare, root } from './prepare.mjs';

/** Fewer modules than this, and the rooms were not looked at: an unfit parser finds none and calls that clean. */
const fewestModules = 10;

/** Each part: its heading, the program among the packages, its arguments, and a closer look at its output. */
const parts = [
  { name: 'format', bin: 'prettier', args: ['--check', '--log-level', 'warn', '.'], hint: 'npm run format' },
  { name: 'types', bin: 'tsc', args: ['-p', '.'] },
  { name: 'lint', bin: 'eslint', args: ['.', '--max-warnings', '0'] },
  {
    name: 'rooms',
    bin: 'depcruise',
    args: ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'src', 'test', 'bench'],
    judge: judgeRooms,
  },
  { name: 'unused code', bin: 'knip', args: ['--no-progress'] },
];
const unitTests = {
  name: 'unit tests',
  bin: 'vitest',
  args: ['run', '--project', 'unit', '--reporter', 'dot'],
};

/** @returns {{ ok: boolean, text: string }} */
function judgeRooms(output) {
  const { modules, summary } = JSON.parse(output);
  const seen = modules.filter((one) => one.source.startsWith('src/')).length;
  if (seen <= fewestModules) return { ok: false, text: `only ${seen} modules seen: the check is blind` };
  const lines = summary.violations
    .filter((one) => one.rule.severity === 'error')
    .map((one) => `${one.rule.name}: ${one.from} -> ${one.to}`);
  return { ok: lines.length === 0, text: lines.join('\n') || `${seen} modules` };
}

/** Runs one part on the project's runtime; its output is held back and shown where it fails. */
function runPart(runtime, part) {
  return new Promise((resolve) => {
    const started = Date.now();
    const path = join(root, 'node_modules/.bin', part.bin);
    const child = spawn(runtime, [path, ...part.args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const [out, err] = [[], []];
    child.stdout.on('data', (chunk) => out.push(chunk));
    child.stderr.on('data', (chunk) => err.push(chunk));
    child.on('error', (error) => resolve({ ok: false, text: String(error), part, ms: 0 }));
    child.on('close', (code) => {
      const [stdout, stderr] = [Buffer.concat(out).toString(), Buffer.concat(err).toString()];
      let result = { ok: code === 0, text: `${stdout}${stderr}`.trim() };
      try {
        if (part.judge !== undefined) result = part.judge(stdout);
      } catch {
        result = { ok: false, text: `${stdout.slice(0, 2000)}${stderr}` };
      }
      resolve({ ...result, part, ms: Date.now() - started });
    });
  });
}

/**
 * Runs the parts, two at a time, and prints a line for each.
 * @param {{ unit: boolean }} options whether the unit tests are among them
 * @returns {Promise<string[]>} the names of the parts that failed
 */
export async function check({ unit }) {
  const { runtimePath } = await import('./runtime.mjs');
  const runtime = runtimePath();
  const waiting = unit ? [unitTests, ...parts] : [...parts];
  const failed = [];
  const worker = async () => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      const { ok, text, ms } = await runPart(runtime, part);
      console.log(`check: ${part.name}: ${ok ? 'ok' : 'FAILED'} (${(ms / 1000).toFixed(1)} s)`);
      if (ok) continue;
      failed.push(part.name);
      console.log(text);
      if (part.hint !== undefined) console.log(`       to mend it: ${part.hint}`);
    }
  };
  await Promise.all([worker(), worker()]);
  return failed;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  endIfMissing(prepare({ hosts: false }));
  const failed = await check({ unit: true });
  console.log(failed.length === 0 ? 'check: all ok' : `check: failed: ${failed.join(', ')}`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

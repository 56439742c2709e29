const { flushCompileCache } = process.getBuiltinModule('node:module');
const { setFlagsFromString } = process.getBuiltinModule('node:v8');

/**
 * For a process that does next to nothing, on every host: without the compilers that optimize, it holds 9 MB less. Called
 * early, before they have begun.
 */
export function stayLean(): void {
  setFlagsFromString('--no-opt');
  setFlagsFromString('--no-maglev');
}

const MARK = 'SWARM_STRIPPED';

/**
 * Called when everything is loaded. In a checkout, the first start after a change takes the types out of the sources, and
 * what does that would stay in memory, 20 MB, as long as the process. What was made is kept on disk for all later
 * starts, and the process begins once more, under its id. With SWARM_USER it goes on: files that only root could read
 * are read already.
 */
export function shedStripper(): void {
  flushCompileCache();
  const loaded = (process as { moduleLoadList?: readonly string[] }).moduleLoadList ?? [];
  const stripped = loaded.some((name) => name.includes('internal/deps/amaro/'));
  if (!stripped || process.env[MARK] !== undefined || process.env['SWARM_USER']) return;
  const args = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.execve?.(process.execPath, args, { ...process.env, [MARK]: 'yes', NODE_NO_WARNINGS: '1' });
}

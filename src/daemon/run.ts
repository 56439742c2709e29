import { messageOf, SwarmError } from '../base/errors.ts';
import { EXIT_OK, EXIT_USAGE, exitCodeOf } from '../base/exit-code.ts';
import { parseFlags, type FlagValues } from '../base/flags.ts';
import { createLog, LOG_LEVELS, type LineSink, type Logger, type LogLevel } from '../base/log.ts';
import { COMMIT, VERSION } from '../base/version.ts';
import { FLAGS } from './flags.ts';
import { helpPage } from './help.ts';
import { daemonOptions, stateDirOf, type DaemonOptions } from './options.ts';

/** The world around one run of the daemon. */
export interface Surroundings {
  env: NodeJS.ProcessEnv;
  out: LineSink;
  err: LineSink;
  /** What runs until it is told to stop. Loaded late: help and wrong input need none of it. */
  serve: (options: DaemonOptions, log: Logger) => Promise<void>;
  backup: (stateDir: string, file: string) => Promise<string>;
  restore: (stateDir: string, file: string) => Promise<string>;
}

const VERSION_TEXT = `${VERSION} (${COMMIT})`;

/** Runs `swarmd` with these arguments (without the program's name); resolves with the exit code. */
export async function runSwarmd(args: readonly string[], world: Surroundings): Promise<number> {
  const parsed = parseFlags(FLAGS, args, { env: world.env, mixed: true });
  if (parsed.kind === 'wrong') return usage(parsed.message, world);
  const { values, rest } = parsed;
  if (values.bool('help')) return print(helpPage(VERSION_TEXT), world);
  if (values.bool('version')) return print(`swarmd version ${VERSION_TEXT}\n`, world);
  const level = logLevelOf(values);
  if (level === undefined)
    return usage(`not a valid log level: ${JSON.stringify(values.text('log-level'))}`, world);
  try {
    return await carryOut(values, rest, level, world);
  } catch (error) {
    createLog(level, world.err).fatal(messageOf(error));
    return exitCodeOf(error);
  }
}

async function carryOut(
  values: FlagValues,
  [word, ...args]: readonly string[],
  level: LogLevel,
  world: Surroundings,
): Promise<number> {
  if (word === undefined) {
    await world.serve(daemonOptions(values), createLog(level, world.out));
    return EXIT_OK;
  }
  if (word !== 'backup' && word !== 'restore') return usage(`unknown command ${JSON.stringify(word)}`, world);
  const [file] = args;
  if (file === undefined || file === '' || args.length > 1)
    throw new SwarmError('invalid', `swarmd ${word} takes one argument, the file`);
  return print(`${await world[word](stateDirOf(values), file)}\n`, world);
}

function logLevelOf(values: FlagValues): LogLevel | undefined {
  if (values.bool('debug') && !values.isSet('log-level')) return 'debug';
  const word = values.text('log-level').toLowerCase();
  return word === 'warning' ? 'warn' : LOG_LEVELS.find((level) => level === word);
}

function usage(message: string, world: Surroundings): number {
  world.err.write(`swarmd: ${message}\nSee 'swarmd --help'.\n`);
  return EXIT_USAGE;
}

function print(text: string, world: Surroundings): number {
  world.out.write(text);
  return EXIT_OK;
}

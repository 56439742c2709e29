import { messageOf } from '../base/errors.ts';
import { createLog, LOG_LEVELS, type Logger, type LineSink, type LogLevel } from '../base/log.ts';
import { findCommand, GLOBAL_FLAGS, parsedFlags, type CommandSpec } from './commands.ts';
import { makeCertificates } from './certs.ts';
import { createToken } from './create.ts';
import { discoveryServiceOptions, type DiscoveryServiceOptions } from './discovery-service.ts';
import { EXIT_OK, EXIT_USAGE, exitCodeOf } from './exit-code.ts';
import { parseFlags, type FlagValues } from './flags.ts';
import { appHelp, commandHelp, VERSION_TEXT } from './help.ts';
import { joinOptions, type JoinOptions } from './join-options.ts';
import { listNodes } from './list.ts';
import { manageOptions, type ManageOptions } from './manage-options.ts';

/** The world around one run of the command. */
export interface Surroundings {
  env: NodeJS.ProcessEnv;
  out: LineSink;
  err: LineSink;
  /** What runs until it is told to stop. Loaded late: help and wrong input need none of it. */
  manage: (options: ManageOptions, log: Logger) => Promise<void>;
  join: (options: JoinOptions, log: Logger) => Promise<void>;
  discovery: (options: DiscoveryServiceOptions, log: Logger) => Promise<void>;
}

/** Runs `swarm` with these arguments (without the program's name); resolves with the exit code. */
export async function runSwarm(args: readonly string[], world: Surroundings): Promise<number> {
  const global = parseFlags(GLOBAL_FLAGS, args, { env: world.env, mixed: false });
  if (global.kind === 'wrong') return usageError(appHelp(), global.message, world);
  const { values, rest } = global;
  if (values.bool('help')) return print(appHelp(), world);
  if (values.bool('version')) return print(`swarm version ${VERSION_TEXT}\n`, world);
  const level = logLevelOf(values);
  if (level === undefined)
    return fail(`not a valid log level: ${JSON.stringify(values.text('log-level'))}`, world);
  const [word, ...commandArgs] = rest;
  if (word === undefined) return print(appHelp(), world);
  const command = findCommand(word);
  if (!command) return fail(`No help topic for '${word}'. See 'swarm --help'.`, world);
  return runCommand(command, commandArgs, level, world);
}

const PRINTING: ReadonlySet<string> = new Set(['list', 'create', 'certs']);

async function runCommand(
  command: CommandSpec,
  args: readonly string[],
  level: LogLevel,
  world: Surroundings,
): Promise<number> {
  const parsed = parseFlags(parsedFlags(command), args, { env: world.env, mixed: true });
  if (parsed.kind === 'wrong') return usageError(commandHelp(command), parsed.message, world);
  if (parsed.values.bool('help')) return print(commandHelp(command), world);
  // What these print is read by scripts; their errors stay out of it.
  const log = createLog(level, PRINTING.has(command.name) ? world.err : world.out);
  try {
    switch (command.name) {
      case 'help':
        return help(parsed.rest, world);
      case 'create':
        return print(`${await createToken(parsed.values, parsed.rest, world.env)}\n`, world);
      case 'list': {
        const lines = await listNodes(parsed.values, parsed.rest, world.env);
        return print(lines.map((line) => `${line}\n`).join(''), world);
      }
      case 'join':
        await world.join(joinOptions(parsed.values, parsed.rest, world.env), log);
        return EXIT_OK;
      case 'discovery':
        await world.discovery(discoveryServiceOptions(parsed.values, parsed.rest, world.env), log);
        return EXIT_OK;
      case 'certs':
        return print(await makeCertificates(parsed.values, parsed.rest), world);
      case 'manage':
        await world.manage(manageOptions(parsed.values, parsed.rest, world.env), log);
        return EXIT_OK;
    }
  } catch (error) {
    log.fatal(messageOf(error));
    return exitCodeOf(error);
  }
}

function help(topics: readonly string[], world: Surroundings): number {
  const [topic] = topics;
  if (topic === undefined) return print(appHelp(), world);
  const command = findCommand(topic);
  return command ? print(commandHelp(command), world) : fail(`No help topic for '${topic}'`, world);
}

function logLevelOf(values: FlagValues): LogLevel | undefined {
  if (values.bool('debug') && !values.isSet('log-level')) return 'debug';
  const word = values.text('log-level').toLowerCase();
  return word === 'warning' ? 'warn' : LOG_LEVELS.find((level) => level === word);
}

function usageError(page: string, message: string, world: Surroundings): number {
  world.out.write(`Incorrect Usage.\n\n${page}\n`);
  return fail(message, world);
}

function fail(message: string, world: Surroundings): number {
  createLog('info', world.out).fatal(message);
  return EXIT_USAGE;
}

function print(text: string, world: Surroundings): number {
  world.out.write(text);
  return EXIT_OK;
}

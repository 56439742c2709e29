import { messageOf } from '../base/errors.ts';
import { createLog, LOG_LEVELS, type Logger, type LineSink, type LogLevel } from '../base/log.ts';
import { findCommand, findSubcommand, GLOBAL_FLAGS, parsedFlags, type CommandSpec } from './commands.ts';
import type { DiscoveryServiceOptions } from './discovery-service.ts';
import { EXIT_OK, EXIT_USAGE, exitCodeOf } from '../base/exit-code.ts';
import { parseFlags, type FlagValues } from '../base/flags.ts';
import { appHelp, commandHelp, VERSION_TEXT } from './help.ts';
import { stayLean } from './lean.ts';
import type { JoinOptions } from './join-options.ts';
import type { ManageOptions } from './manage-options.ts';

/** The world around one run of the command. */
export interface Surroundings {
  env: NodeJS.ProcessEnv;
  out: LineSink;
  err: LineSink;
  /** What runs until it is told to stop. Loaded late: help and wrong input need none of it. */
  manage: (options: ManageOptions & { debug: boolean }, log: Logger) => Promise<void>;
  join: (options: JoinOptions, log: Logger) => Promise<void>;
  discovery: (options: DiscoveryServiceOptions, log: Logger) => Promise<void>;
}

/** Runs `swarm` with these arguments (without the program's name); resolves with the exit code. */
export async function runSwarm(args: readonly string[], world: Surroundings): Promise<number> {
  const global = parseFlags(GLOBAL_FLAGS, args, { env: world.env, mixed: false, hint: hintFor });
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
  return runCommand(command, commandArgs, { level, debug: values.bool('debug') }, world);
}

const PRINTING: ReadonlySet<string> = new Set(['list', 'create', 'certs', 'health', 'network doctor']);

async function runCommand(
  command: CommandSpec,
  args: readonly string[],
  { level, debug }: { level: LogLevel; debug: boolean },
  world: Surroundings,
): Promise<number> {
  if (command.subcommands) return runSubcommand(command, args, { level, debug }, world);
  const parsed = parseFlags(parsedFlags(command), args, { env: world.env, mixed: true, hint: hintFor });
  if (parsed.kind === 'wrong') return usageError(commandHelp(command), parsed.message, world);
  if (parsed.values.bool('help')) return print(commandHelp(command), world);
  // What these print is read by scripts; their errors stay out of it.
  const log = createLog(level, PRINTING.has(command.name) ? world.err : world.out);
  try {
    return await carryOut(command.name, parsed.values, parsed.rest, { ...world, log, debug });
  } catch (error) {
    log.fatal(messageOf(error));
    return exitCodeOf(error);
  }
}

/** What stands before the word of the subcommand can only ask for help. */
function runSubcommand(
  command: CommandSpec,
  args: readonly string[],
  options: { level: LogLevel; debug: boolean },
  world: Surroundings,
): number | Promise<number> {
  const parsed = parseFlags(parsedFlags(command), args, { env: world.env, mixed: false });
  if (parsed.kind === 'wrong') return usageError(commandHelp(command), parsed.message, world);
  const [word, ...rest] = parsed.rest;
  if (word === undefined || parsed.values.bool('help')) return print(commandHelp(command), world);
  const found = findSubcommand(command, word);
  if (found) return runCommand(found, rest, options, world);
  return fail(`No help topic for '${command.name} ${word}'. See 'swarm ${command.name} --help'.`, world);
}

/** Each command's code is loaded when it is asked for: an agent, one on every host, holds no manager in its memory. */
async function carryOut(
  name: CommandSpec['name'],
  values: FlagValues,
  args: readonly string[],
  world: Surroundings & { log: Logger; debug: boolean },
): Promise<number> {
  const { env, log, debug } = world;
  const warn = (sentence: string): void => log.warn(sentence);
  switch (name) {
    case 'help':
      return help(args, world);
    case 'create': {
      const { createToken } = await import('./create.ts');
      return print(`${await createToken(values, args, env, warn)}\n`, world);
    }
    case 'list': {
      const { listNodes } = await import('./list.ts');
      const lines = await listNodes(values, args, env, warn);
      return print(lines.map((line) => `${line}\n`).join(''), world);
    }
    case 'join': {
      stayLean();
      const { joinOptions } = await import('./join-options.ts');
      await world.join(joinOptions(values, args, env), log);
      return EXIT_OK;
    }
    case 'discovery': {
      const { discoveryServiceOptions } = await import('./discovery-service.ts');
      await world.discovery(discoveryServiceOptions(values, args, env), log);
      return EXIT_OK;
    }
    case 'certs': {
      const { makeCertificates } = await import('./certs.ts');
      return print(await makeCertificates(values, args), world);
    }
    case 'health': {
      const { checkHealth } = await import('./health.ts');
      return print(await checkHealth(args, env), world);
    }
    case 'network doctor': {
      const { examineNetwork } = await import('./network-doctor.ts');
      const { text, code } = await examineNetwork(values, args, env);
      print(text, world);
      return code;
    }
    case 'network': // only its subcommands are carried out
      return EXIT_USAGE;
    case 'manage': {
      const { manageOptions } = await import('./manage-options.ts');
      await world.manage({ ...manageOptions(values, args, env), debug }, log);
      return EXIT_OK;
    }
  }
}

function help(topics: readonly string[], world: Surroundings): number {
  const [topic, deeper] = topics;
  if (topic === undefined) return print(appHelp(), world);
  const command = findCommand(topic);
  const found = command?.subcommands && deeper !== undefined ? findSubcommand(command, deeper) : command;
  const asked = topics.slice(0, command?.subcommands ? 2 : 1).join(' ');
  return found ? print(commandHelp(found), world) : fail(`No help topic for '${asked}'`, world);
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

/** Options people give to the wrong command. */
function hintFor(name: string): string {
  if (['debug', 'log-level', 'l', 'experimental'].includes(name))
    return ` (a global option: swarm ${name.length === 1 ? '-' : '--'}${name} … COMMAND)`;
  if (name === 'host' || name === 'H')
    return ' (only manage and discovery listen; join names its engine with --advertise)';
  return '';
}

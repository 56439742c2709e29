import { COMMIT, VERSION } from '../base/version.ts';
import { COMMANDS, GLOBAL_FLAGS, type CommandSpec } from './commands.ts';
import { flagLine, page } from '../base/flag-help.ts';

/** `X (commit)`, as `swarm --version` and the help show it. */
export const VERSION_TEXT = `${VERSION} (${COMMIT})`;

/** The page of `swarm --help`. */
export function appHelp(version = VERSION_TEXT): string {
  const lines = [
    'Usage: swarm [OPTIONS] COMMAND [arg...]',
    '',
    'A Docker-native clustering system',
    '',
    `Version: ${version}`,
    '',
    'Options:',
    ...GLOBAL_FLAGS.map((flag) => `  ${flagLine(flag)}`),
    '',
    'Commands:',
    ...COMMANDS.map(
      (command) => `  ${[command.name, command.short].filter(Boolean).join(', ')}\t${command.usage}`,
    ),
    '',
    "Run 'swarm COMMAND --help' for more information on a command.",
  ];
  return page(lines);
}

const DISCOVERY_FORMS = [
  'token://<token>',
  'consul://<ip>/<path>',
  'etcd://<ip1>,<ip2>/<path>',
  'file://path/to/file',
  'zk://<ip1>,<ip2>/<path>',
  '[nodes://]<ip1>,<ip2>',
];

/** The page of `swarm COMMAND --help`. */
export function commandHelp(command: CommandSpec): string {
  const synopsis = [
    `Usage: swarm ${command.name}`,
    ...(command.flags.length > 0 ? ['[OPTIONS]'] : []),
    ...(command.takesDiscovery ? ['<discovery>'] : []),
    ...(command.subcommands ? ['COMMAND'] : []),
    ...(command.argument === undefined ? [] : [command.argument]),
  ];
  const lines = [synopsis.join(' '), '', command.usage];
  if (command.subcommands)
    lines.push(
      '',
      'Commands:',
      ...command.subcommands.map(({ name, usage }) => `  ${lastWord(name)}\t${usage}`),
    );
  if (command.takesDiscovery) {
    lines.push('', 'Arguments:', '   <discovery>    discovery service to use [$SWARM_DISCOVERY]');
    lines.push(...DISCOVERY_FORMS.map((form) => `                   * ${form}`));
  }
  if (command.flags.length > 0) {
    lines.push('', 'Options:', ...command.flags.map((flag) => `   ${flagLine(flag)}`));
    lines.push(...(command.optionKeys ?? []).map(({ key, usage }) => `   \t * ${key}\t${usage}`));
  }
  return page(lines);
}

function lastWord(name: string): string {
  return name.replace(/^.* /, '');
}

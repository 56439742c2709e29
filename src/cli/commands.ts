import { LOG_LEVELS } from '../base/log.ts';
import { FILTER_NAMES, STRATEGY_NAMES } from '../scheduler/index.ts';
import type { FlagSpec } from '../base/flags.ts';

/** Where a manager listens unless it is told. */
export const DEFAULT_HOST = 'tcp://127.0.0.1:2375';
/** Where the token service listens unless it is told. */
export const DEFAULT_TOKEN_HOST = 'tcp://127.0.0.1:8090';

export type CommandName =
  | 'create'
  | 'list'
  | 'manage'
  | 'join'
  | 'discovery'
  | 'certs'
  | 'health'
  | 'network'
  | 'network doctor'
  | 'help';

/** What the help shows of a command, and what its parser takes. */
export interface CommandSpec {
  name: CommandName;
  /** Its letter; empty where the classic swarm had no such command. */
  short: string;
  usage: string;
  flags: readonly FlagSpec[];
  takesDiscovery: boolean;
  /** Its argument, as the synopsis shows it, where that is no discovery. */
  argument?: string;
  /** It does nothing by itself; these are named `<its name> <word>`. */
  subcommands?: readonly CommandSpec[];
  /** Lines under the last option: the keys it knows. */
  optionKeys?: readonly { key: string; usage: string }[];
}

const HELP_FLAG: FlagSpec = { names: ['help', 'h'], kind: 'bool', usage: 'show help' };

export const GLOBAL_FLAGS: readonly FlagSpec[] = [
  { names: ['debug'], kind: 'bool', usage: 'debug mode', env: 'DEBUG' },
  {
    names: ['log-level', 'l'],
    kind: 'string',
    default: 'info',
    usage: `Log level (options: ${LOG_LEVELS.join(', ')})`,
  },
  { names: ['experimental'], kind: 'bool', usage: 'enable experimental features' },
  HELP_FLAG,
  { names: ['version', 'v'], kind: 'bool', usage: 'print the version' },
];

const heartbeat: FlagSpec = {
  names: ['heartbeat'],
  kind: 'string',
  default: '60s',
  usage: 'period between each heartbeat',
};
const discoveryOpt: FlagSpec = { names: ['discovery-opt'], kind: 'list', usage: 'discovery options' };

const MANAGE_FLAGS: readonly FlagSpec[] = [
  {
    names: ['strategy'],
    kind: 'string',
    default: 'spread',
    usage: `placement strategy to use [${STRATEGY_NAMES.join(', ')}]`,
    env: 'SWARM_STRATEGY',
  },
  {
    names: ['filter', 'f'],
    kind: 'list',
    usage: `filter to use, all unless one is given [${FILTER_NAMES.join(', ')}]`,
  },
  {
    names: ['host', 'H'],
    kind: 'list',
    usage: `ip/socket to listen on, ${DEFAULT_HOST} unless one is given`,
    env: 'SWARM_HOST',
  },
  { names: ['replication'], kind: 'bool', usage: 'let several managers stand in for each other' },
  {
    names: ['replication-ttl'],
    kind: 'string',
    default: '20s',
    usage: 'time after which a lost primary is replaced',
  },
  {
    names: ['advertise', 'addr'],
    kind: 'string',
    usage: 'ip:port under which the other managers reach this one',
    env: 'SWARM_ADVERTISE',
  },
  { names: ['tls'], kind: 'bool', usage: 'use TLS; implied by --tlsverify=true' },
  {
    names: ['tlscacert'],
    kind: 'string',
    usage: 'path to the CA that clients and engines must be signed by',
  },
  { names: ['tlscert'], kind: 'string', usage: 'path to TLS certificate file' },
  { names: ['tlskey'], kind: 'string', usage: 'path to TLS key file' },
  { names: ['tlsverify'], kind: 'bool', usage: 'use TLS and verify the remote' },
  {
    names: ['engine-refresh-min-interval'],
    kind: 'string',
    default: '30s',
    usage: 'shortest time between two refreshes of an engine',
  },
  {
    names: ['engine-refresh-max-interval'],
    kind: 'string',
    default: '60s',
    usage: 'longest time between two refreshes of an engine',
  },
  {
    names: ['engine-failure-retry'],
    kind: 'int',
    default: '3',
    usage: 'failures in a row that make an engine unhealthy',
  },
  {
    names: ['engine-refresh-retry'],
    kind: 'int',
    default: '3',
    usage: 'deprecated; replaced by --engine-failure-retry',
  },
  heartbeat,
  { names: ['api-enable-cors', 'cors'], kind: 'bool', usage: 'enable CORS headers in the remote API' },
  {
    names: ['cluster-driver', 'c'],
    kind: 'string',
    default: 'swarm',
    usage: 'cluster driver to use [swarm]',
  },
  {
    names: ['refresh-on-node-filter'],
    kind: 'bool',
    usage: 'ask the engines anew when containers are listed by node',
  },
  {
    names: ['container-name-refresh-filter'],
    kind: 'string',
    usage: 'ask the engines anew when containers are listed by this name',
  },
  discoveryOpt,
  { names: ['cluster-opt'], kind: 'list', usage: 'cluster driver options' },
];

/** `swarm discovery`. */
const DISCOVERY_FLAGS: readonly FlagSpec[] = [
  {
    names: ['host', 'H'],
    kind: 'list',
    usage: `ip/socket to listen on, ${DEFAULT_TOKEN_HOST} unless one is given`,
  },
  {
    names: ['state-dir'],
    kind: 'string',
    usage: 'folder of the database, /var/lib/swarm/discovery or ~/.swarm/discovery unless given',
    env: 'SWARM_STATE_DIR',
  },
  { names: ['tls'], kind: 'bool', usage: 'use TLS; implied by --tlsverify=true' },
  { names: ['tlscacert'], kind: 'string', usage: 'path to the CA that clients must be signed by' },
  { names: ['tlscert'], kind: 'string', usage: 'path to TLS certificate file' },
  { names: ['tlskey'], kind: 'string', usage: 'path to TLS key file' },
  { names: ['tlsverify'], kind: 'bool', usage: 'use TLS and verify the remote' },
];

/** `swarm certs`. */
const CERTS_FLAGS: readonly FlagSpec[] = [
  { names: ['ca'], kind: 'string', usage: 'folder of the CA, made when there is none in it' },
  { names: ['host'], kind: 'list', usage: 'names and addresses of a node, comma-separated; may be repeated' },
  { names: ['out'], kind: 'string', usage: 'folder for the certificates, the one of the CA unless given' },
  { names: ['days'], kind: 'int', default: '825', usage: 'how long new certificates are valid' },
  { names: ['force'], kind: 'bool', usage: 'make certificates anew that are there; never the CA' },
];

/** `swarm network doctor`. */
const DOCTOR_FLAGS: readonly FlagSpec[] = [
  {
    names: ['host', 'H'],
    kind: 'string',
    usage: 'the swarmd to ask, unix:///run/swarmd.sock unless it or the variable is given',
    env: 'DOCKER_HOST',
  },
  { names: ['node'], kind: 'string', usage: 'look at this node only' },
  { names: ['format'], kind: 'string', usage: 'json prints what swarmd answers' },
  { names: ['tls'], kind: 'bool', usage: 'use TLS; implied by --tlsverify=true' },
  { names: ['tlscacert'], kind: 'string', usage: 'path to the CA that swarmd must be signed by' },
  { names: ['tlscert'], kind: 'string', usage: 'path to TLS certificate file' },
  { names: ['tlskey'], kind: 'string', usage: 'path to TLS key file' },
  { names: ['tlsverify'], kind: 'bool', usage: 'use TLS and verify the remote' },
];

export const COMMANDS: readonly CommandSpec[] = [
  { name: 'create', short: 'c', usage: 'Create a cluster', flags: [discoveryOpt], takesDiscovery: false },
  {
    name: 'list',
    short: 'l',
    usage: 'List nodes in a cluster',
    flags: [{ names: ['timeout'], kind: 'string', default: '10s', usage: 'timeout period' }, discoveryOpt],
    takesDiscovery: true,
  },
  {
    name: 'manage',
    short: 'm',
    usage: 'Manage a docker cluster',
    flags: MANAGE_FLAGS,
    takesDiscovery: true,
    optionKeys: [
      { key: 'swarm.overcommit=0.05', usage: 'share of its resources an engine may promise twice' },
      { key: 'swarm.createretry=0', usage: 'further tries when an engine fails to create a container' },
    ],
  },
  {
    name: 'join',
    short: 'j',
    usage: 'Join a docker cluster',
    flags: [
      {
        names: ['advertise', 'addr'],
        kind: 'string',
        usage: 'ip:port under which the managers reach this engine',
        env: 'SWARM_ADVERTISE',
      },
      heartbeat,
      {
        names: ['ttl'],
        kind: 'string',
        default: '180s',
        usage: 'time after which a silent node is forgotten',
      },
      {
        names: ['delay'],
        kind: 'string',
        default: '0s',
        usage: 'wait a random part of this before the first registration',
      },
      { names: ['host', 'H'], kind: 'list', usage: 'not used: an agent listens nowhere' },
      discoveryOpt,
    ],
    takesDiscovery: true,
  },
  {
    name: 'discovery',
    short: '',
    usage: 'Serve tokens for token:// discovery',
    flags: DISCOVERY_FLAGS,
    takesDiscovery: false,
  },
  {
    name: 'certs',
    short: '',
    usage: 'Make a CA and certificates for nodes and clients',
    flags: CERTS_FLAGS,
    takesDiscovery: false,
  },
  {
    name: 'health',
    short: '',
    usage: 'Say whether the command of this container is well',
    flags: [],
    takesDiscovery: false,
  },
  {
    name: 'network',
    short: '',
    usage: "Look into a swarm's networks",
    flags: [],
    takesDiscovery: false,
    subcommands: [
      {
        name: 'network doctor',
        short: '',
        usage: 'Say for each node whether a service is reached through it, and what is wrong',
        flags: DOCTOR_FLAGS,
        takesDiscovery: false,
        argument: '[SERVICE]',
      },
    ],
  },
  {
    name: 'help',
    short: 'h',
    usage: 'Shows a list of commands or help for one command',
    flags: [],
    takesDiscovery: false,
  },
];

/** The command a word stands for, by name or by letter. */
export function findCommand(word: string): CommandSpec | undefined {
  return COMMANDS.find((command) => command.name === word || (word !== '' && command.short === word));
}

/** The command behind a command's first argument. */
export function findSubcommand({ name, subcommands }: CommandSpec, word: string): CommandSpec | undefined {
  return subcommands?.find((one) => one.name === `${name} ${word}`);
}

/** The flags a command's parser takes: its own and the one every command has. */
export function parsedFlags(command: CommandSpec): readonly FlagSpec[] {
  return [...command.flags, HELP_FLAG];
}

import { SwarmError } from '../../base/errors.ts';
import type { Flow } from '../rules/types.ts';
import { ENDED_LATE, type Command, type CommandResult, type Commands } from './commands.ts';
import { readLinks, type Link } from './links.ts';
import { readSeal, sealLines, type Seal } from './seal.ts';

/** One line of `ip` or `bridge`: `['addr', 'replace', …]`. */
export interface IpLine {
  readonly args: readonly string[];
  readonly mayFail: boolean;
}

/** conntrack's exit for options that it does not know. */
const WRONG_USAGE = 2;

/**
 * Of TCP connections only those are forgotten whose client still has its port: conntrack lists connections, and then names
 * each that is to go by its addresses, by which a later one from the same port would go instead of one that had ended.
 */
const OPEN_STATES = ['SYN_SENT', 'SYN_RECV', 'ESTABLISHED', 'FIN_WAIT', 'CLOSE_WAIT'] as const;

/** What the balancer does to network namespaces, which it names by their files; '' is the host's own. */
export class Kernel {
  readonly table: string;
  readonly commands: Commands;
  readonly #conntrack: boolean;

  /** Without conntrack, connections are not forgotten. */
  constructor(commands: Commands, table: string, conntrack: boolean) {
    this.commands = commands;
    this.table = table;
    this.#conntrack = conntrack;
  }

  /** One transaction: all of these lines and the seal are in force, or nothing has changed. */
  async applyRules(netns: string, lines: readonly string[], seal: Seal): Promise<void> {
    const input = [...lines, ...sealLines(this.table, seal), ''].join('\n');
    await this.#must({ netns, program: 'nft', args: ['-f', '-'], input });
  }

  /**
   * Whether the kernel takes these lines, tried in a network namespace that ends with the trial. Throws where
   * not.
   */
  async tryRules(lines: readonly string[]): Promise<void> {
    const args = ['--net', '--', 'nft', '-f', '-'];
    await this.#must({ netns: '', program: 'unshare', args, input: `${lines.join('\n')}\n` });
  }

  /** What `listing` would give if these lines were in force. */
  async tryListing(lines: readonly string[]): Promise<string> {
    const list = `nft --json --stateless list table ${this.table}`;
    const args = ['--net', '--', 'sh', '-c', `nft -f - && ${list}`];
    return (await this.#must({ netns: '', program: 'unshare', args, input: `${lines.join('\n')}\n` })).stdout;
  }

  /** Takes the table away, where it is there. */
  async removeRules(netns: string): Promise<void> {
    const input = `add table ${this.table}\ndelete table ${this.table}\n`;
    await this.#must({ netns, program: 'nft', args: ['-f', '-'], input });
  }

  /** The seal of what is in force; undefined where the table is not there, or was emptied. */
  async seal(netns: string): Promise<Seal | undefined> {
    const args = ['list', 'chain', ...this.table.split(' '), 'seal'];
    const result = await this.commands.run({ netns, program: 'nft', args });
    if (result.code === 0) return readSeal(result.stdout);
    if (isNothing(result)) return undefined;
    throw failed('nft', result);
  }

  /** The table as `nft --json --stateless` shows it; undefined where there is none. */
  async listing(netns: string): Promise<string | undefined> {
    const args = ['--json', '--stateless', 'list', 'table', ...this.table.split(' ')];
    const result = await this.commands.run({ netns, program: 'nft', args });
    if (result.code === 0) return result.stdout;
    if (isNothing(result)) return undefined;
    throw failed('nft', result);
  }

  /** All tables, without what named sets hold, as `nft --json` shows them. */
  async ruleset(netns: string): Promise<string> {
    const args = ['--json', '--stateless', '--terse', 'list', 'ruleset'];
    return (await this.#must({ netns, program: 'nft', args })).stdout;
  }

  async links(netns: string): Promise<readonly Link[]> {
    return readLinks((await this.#must({ netns, program: 'ip', args: ['-j', 'addr'] })).stdout);
  }

  /** Whether the namespace knows the hardware address of one on its link. */
  async knowsNeighbour(netns: string, address: string): Promise<boolean> {
    const { stdout } = await this.commands.run({ netns, program: 'ip', args: ['neigh', 'show', address] });
    return stdout.includes(' lladdr ');
  }

  /** What commands of a script of ours print. */
  async shell(netns: string, script: string): Promise<string> {
    return (await this.#must({ netns, program: 'sh', args: ['-c', script] })).stdout;
  }

  /** Runs all lines of `ip`, whatever becomes of those before; throws when one failed that must not. */
  ip(netns: string, lines: readonly IpLine[]): Promise<void> {
    return this.#batch('ip', netns, lines);
  }

  /** The same for `bridge`. */
  bridge(netns: string, lines: readonly IpLine[]): Promise<void> {
    return this.#batch('bridge', netns, lines);
  }

  async #batch(program: 'ip' | 'bridge', netns: string, lines: readonly IpLine[]): Promise<void> {
    if (lines.length === 0) return;
    const input = lines.map(({ args }) => `${args.join(' ')}\n`).join('');
    const result = await this.commands.run({ netns, program, args: ['-force', '-batch', '-'], input });
    if (result.code === 0) return;
    const wrong = [...result.stderr.matchAll(/Command failed -:(\d+)/g)].map(
      ([, at]) => lines[Number(at) - 1],
    );
    const bad = wrong.find((line) => line !== undefined && !line.mayFail);
    if (wrong.length === 0) throw failed(program, result);
    if (bad)
      throw new SwarmError('internal', `${program} ${bad.args.join(' ')}: ${firstLine(result.stderr)}`);
  }

  /** Forgets connections, so that their next packet is a stranger's. */
  async forget(netns: string, flows: readonly Flow[]): Promise<void> {
    if (flows.length === 0 || !this.#conntrack) return;
    const lines = flows.flatMap(conntrackArgs);
    const input = lines.map((args) => `${args.join(' ')}\n`).join('');
    const all = await this.commands.run({ netns, program: 'conntrack', args: ['-R', '-'], input });
    if (all.code === 0) return;
    if (all.code !== WRONG_USAGE) throw failed('conntrack', all);
    // Before 1.4.7 it reads no files, and takes one at a time.
    for (const args of lines) {
      const result = await this.commands.run({ netns, program: 'conntrack', args });
      if (result.code !== 0 && !/ 0 flow entries/.test(result.stderr)) throw failed('conntrack', result);
    }
  }

  /** Settings below /proc/sys, as the namespace has them; undefined where one is not there. */
  async settings(netns: string, paths: readonly string[]): Promise<readonly string[] | undefined> {
    if (paths.length === 0) return [];
    const args = paths.map((path) => `/proc/sys/${path}`);
    const { code, stdout } = await this.commands.run({ netns, program: 'cat', args });
    return code === 0 ? stdout.trim().split('\n') : undefined;
  }

  async set(netns: string, path: string, value: string): Promise<void> {
    await this.#must({ netns, program: 'tee', args: [`/proc/sys/${path}`], input: value });
  }

  async #must(command: Command): Promise<CommandResult> {
    const result = await this.commands.run(command);
    if (result.code !== 0) throw failed(command.program === 'unshare' ? 'nft' : command.program, result);
    return result;
  }
}

/** What nft was asked for is not there. */
function isNothing({ stderr }: CommandResult): boolean {
  return !stderr.startsWith('nsenter:') && /No such file or directory/.test(stderr);
}

/** Code `not-found` where the namespace is not there (any more), `timeout` where the program did not end. */
function failed(program: string, { code, stderr }: CommandResult): SwarmError {
  if (code === ENDED_LATE) return new SwarmError('timeout', stderr);
  if (/^nsenter: (cannot open|reassociate to namespace)/.test(stderr))
    return new SwarmError('not-found', firstLine(stderr));
  return new SwarmError('internal', `${program}: ${firstLine(stderr) || `exit ${code}`}`);
}

function firstLine(text: string): string {
  return (text.trim().split('\n')[0] ?? '').replace(/^\/dev\/stdin:[\d:-]+\s*/, '').slice(0, 300);
}

function conntrackArgs({ protocol, backend, destination, port }: Flow): string[][] {
  const where = [
    ...(backend === '' ? [] : ['--reply-src', backend]),
    ...(destination === '' ? [] : ['--orig-dst', destination]),
    ...(port === 0 ? [] : ['--orig-port-dst', `${port}`]),
  ];
  const states = protocol === 'tcp' ? OPEN_STATES.map((state) => ['--state', state]) : [[]];
  return states.map((state) => ['-D', '-p', protocol, ...state, ...where]);
}

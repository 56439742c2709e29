import { SwarmError } from '../base/errors.ts';
import { iptablesWords } from './iptables-words.ts';
import type { CommandResult, Commands } from './kernel/commands.ts';

/** The chain that the engine leaves to the host's owner, before all of its own. */
const USER_CHAIN = 'DOCKER-USER';
/** Where all that is forwarded comes by. */
const FORWARD = 'FORWARD';
/** Tells the balancer's rules from everybody else's. */
const COMMENT = 'skep';
const LOCK_WAIT_S = '5';

/** A rule of iptables without its chain and comment: `['-d', '172.18.0.2/32', …, '-j', 'ACCEPT']`. */
export type Opening = readonly string[];

/** A chain as `iptables -S` shows it; undefined where there is none. */
type Chain = readonly string[] | undefined;

/** What the balancer opens in the host's firewall, and closes again. */
export class Firewall {
  readonly #commands: Commands;
  /** What iptables showed when the openings had been put there: while it shows the same, nothing is to be done. */
  #settled: { readonly wished: string; readonly shown: string } | undefined;

  constructor(commands: Commands) {
    this.#commands = commands;
  }

  /**
   * Puts these openings, and no others of ours, at the end of the engine's chain for rules of the host's
   * owner, before a last RETURN: what those forbid stays forbidden. Where somebody has flushed the way to
   * that chain, and what is forwarded is dropped, they go to the end of FORWARD until the engine has made its
   * way anew.
   */
  async keep(openings: readonly Opening[]): Promise<void> {
    const chains = await this.#chains();
    const wished = JSON.stringify(openings);
    if (this.#settled?.wished === wished && this.#settled.shown === JSON.stringify(chains)) return;
    for (const chain of [chains.user, chains.forward]) await this.#removeOurs(chain);
    const target = targetOf(chains);
    if (target !== undefined) await this.#insert(target, openings);
    this.#settled = { wished, shown: JSON.stringify(await this.#chains()) };
  }

  /** Takes all of them away, whichever process has put them there. */
  async close(): Promise<void> {
    const { user, forward } = await this.#chains();
    for (const chain of [user, forward]) await this.#removeOurs(chain);
  }

  /** How many openings are there; undefined where none is needed. */
  async present(): Promise<number | undefined> {
    return targetOf(await this.#chains())?.filter(isOurs).length;
  }

  /** The table of what is let through, by all who have rules there, as `iptables -S` shows it. */
  async listing(): Promise<readonly string[]> {
    return linesOf((await this.#must(['-S'])).stdout);
  }

  async #insert(chain: readonly string[], openings: readonly Opening[]): Promise<void> {
    const name = iptablesWords(chain[0] ?? '')[1] ?? '';
    const others = chain.filter((rule) => rule.startsWith('-A ') && !isOurs(rule));
    const end = others.at(-1) === `-A ${name} -j RETURN` ? others.length : others.length + 1;
    for (const [at, opening] of openings.entries())
      await this.#must(['-I', name, `${end + at}`, '-m', 'comment', '--comment', COMMENT, ...opening]);
  }

  async #removeOurs(chain: Chain): Promise<void> {
    for (const rule of chain?.filter(isOurs) ?? []) await this.#must(['-D', ...iptablesWords(rule).slice(1)]);
  }

  async #chains(): Promise<{ readonly user: Chain; readonly forward: Chain }> {
    return { user: await this.#chain(USER_CHAIN), forward: await this.#chain(FORWARD) };
  }

  /** iptables has several ways to say that there is no such chain. */
  async #chain(name: string): Promise<Chain> {
    const result = await this.#run(['-S', name]);
    if (result.code === 0) return linesOf(result.stdout);
    if (/No chain|does not exist|doesn't exist|is incompatible/.test(result.stderr)) return undefined;
    throw failed(result.stderr);
  }

  async #must(args: readonly string[]): Promise<CommandResult> {
    const result = await this.#run(args);
    if (result.code !== 0) throw failed(result.stderr);
    return result;
  }

  #run(args: readonly string[]): Promise<CommandResult> {
    return this.#commands.run({ netns: '', program: 'iptables', args: ['-w', LOCK_WAIT_S, ...args] });
  }
}

/** Where openings go; undefined where nothing is closed. */
function targetOf({ user, forward }: { readonly user: Chain; readonly forward: Chain }): Chain {
  if (user && forward?.includes(`-A ${FORWARD} -j ${USER_CHAIN}`)) return user;
  return forward?.includes(`-P ${FORWARD} DROP`) ? forward : undefined;
}

function isOurs(rule: string): boolean {
  const all = iptablesWords(rule);
  const has = (option: string, value: string): boolean =>
    all.some((word, at) => word === value && all[at - 1] === option);
  // The comment alone could be the owner's, on a rule of his own.
  return has('--comment', COMMENT) && has('-j', 'ACCEPT') && all.includes('--ctstate');
}

function linesOf(output: string): string[] {
  return output.trim().split('\n');
}

function failed(stderr: string): SwarmError {
  return new SwarmError('internal', `iptables: ${stderr.trim().split('\n')[0]?.slice(0, 300)}`);
}

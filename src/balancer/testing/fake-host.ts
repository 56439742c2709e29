import type { HostAccess } from '../host-access.ts';
import type { Command, CommandResult } from '../kernel/commands.ts';
import type { NetnsFile } from '../namespaces.ts';
import type { MeshPortRef } from '../../model/index.ts';
import { overlayText, type OverlayEntries } from '../peers/testing.ts';
import { portKey } from '../ports/reserved-ports.ts';

/** No two interfaces of a host have had the same. */
let lastIndex = 0;

interface FakeLink {
  readonly name: string;
  readonly index: number;
  readonly addresses: { address: string; prefix: number; label: string }[];
}

/** A namespace of a made-up host, with what was put into it. */
export class FakeNamespace {
  readonly inode: number;
  readonly links: FakeLink[] = [];
  /** The transactions that were taken, oldest first. */
  readonly transactions: string[] = [];
  /** Lines of conntrack. */
  readonly forgotten: string[] = [];
  readonly settings = new Map<string, string>();
  /** What an overlay's namespace knows of other hosts, by `overlayText`; the lines that were to change it. */
  overlay: OverlayEntries = {};
  readonly overlayLines: string[] = [];
  /** Comments of the chain `seal`; undefined while the table is not there. */
  seal: readonly string[] | undefined;

  constructor(inode: number) {
    this.inode = inode;
  }

  link(name: string, address: string): this {
    const [local = '', prefix = ''] = address.split('/');
    const index = ++lastIndex;
    this.links.push({ name, index, addresses: [{ address: local, prefix: Number(prefix), label: name }] });
    return this;
  }

  /** `nft flush ruleset`. */
  flush(): void {
    this.seal = undefined;
  }

  /** The addresses that an interface answers for beside its own. */
  aliases(name: string): string[] {
    const link = this.links.find((one) => one.name === name);
    return (link?.addresses ?? []).filter(({ label }) => label !== name).map(({ address }) => address);
  }
}

const NO_FILE: CommandResult = {
  code: 1,
  stdout: '',
  stderr: 'Error: No such file or directory\nlist chain',
};
/** A table that has nothing in it. */
const NO_RULES: CommandResult = { code: 0, stdout: '{"nftables":[]}', stderr: '' };
const DONE: CommandResult = { code: 0, stdout: '', stderr: '' };

/** A host that keeps in memory what programs would have told its kernel. */
export class FakeHost implements HostAccess {
  readonly own = new FakeNamespace(1);
  readonly files = new Map<string, FakeNamespace>();
  readonly runs: Command[] = [];
  /** iptables' chains. */
  readonly chains = new Map<string, string[]>([
    ['FORWARD', ['-P FORWARD DROP', '-A FORWARD -j DOCKER-USER']],
    ['DOCKER-USER', ['-N DOCKER-USER', '-A DOCKER-USER -j RETURN']],
  ]);
  readonly held = new Set<string>();
  /** Ports that somebody else listens on. */
  readonly busy = new Set<string>();
  readonly missing = new Set<string>();
  /** All of nft's rules. */
  ruleset = '{"nftables":[]}';
  /** Rules with this in them are refused; nothing is where it is empty. */
  poison = '';
  /** Called before each command. */
  before: (command: Command) => Promise<void> = () => Promise.resolve();
  /** How often its namespaces were listed. */
  listed = 0;
  uid = 0;
  ipvs = false;

  readonly commands = { run: (command: Command): Promise<CommandResult> => this.#run(command) };
  readonly hasIpvs = (): boolean => this.ipvs;

  readonly listNamespaces = (): Promise<readonly NetnsFile[]> => {
    this.listed++;
    return Promise.resolve(
      [...this.files].map(([path, { inode }]) => ({ path, inode, name: path.split('/').at(-1) ?? '' })),
    );
  };

  readonly inodeOf = (path: string): Promise<number> => Promise.resolve(this.files.get(path)?.inode ?? 0);

  readonly holdPort = (port: MeshPortRef): Promise<{ release: () => void } | 'taken'> => {
    const key = portKey(port);
    if (this.busy.has(key)) return Promise.resolve('taken');
    this.held.add(key);
    return Promise.resolve({ release: () => void this.held.delete(key) });
  };

  async #run(command: Command): Promise<CommandResult> {
    this.runs.push(command);
    await this.before(command);
    const { program, args, netns, input = '' } = command;
    if (this.missing.has(program)) return { code: 127, stdout: '', stderr: `${program}: not found` };
    const place = netns === '' ? this.own : this.files.get(netns);
    if (!place)
      return { code: 1, stdout: '', stderr: `nsenter: cannot open ${netns}: No such file or directory` };
    switch (program) {
      case 'nft':
        if (args.at(-1) === 'ruleset') return { ...DONE, stdout: this.ruleset };
        if (args[0] === '--json') return NO_RULES;
        return args[0] === '-f' ? this.#apply(place, input) : shownSeal(place);
      case 'unshare':
        return this.#refuses(input) ?? NO_RULES;
      case 'ip':
        if (input.startsWith('neigh ')) return noted(place, input);
        return args[0] === '-j' ? shownLinks(place) : changeAddresses(place, input);
      case 'bridge':
        return noted(place, input);
      case 'sh':
        return { ...DONE, stdout: overlayText(place.overlay) };
      case 'conntrack':
        if (args[0] === '-R') place.forgotten.push(...input.trim().split('\n'));
        return DONE;
      case 'iptables':
        if (args[0] === '--version') return { ...DONE, stdout: 'iptables v1.8.9 (nf_tables)\n' };
        return this.#iptables(args.slice(2));
      case 'cat':
        return {
          ...DONE,
          stdout: args.map((one) => `${shownSetting(place, settingOf(one))}\n`).join(''),
        };
      case 'tee':
        place.settings.set(settingOf(args[0] ?? ''), input);
        return DONE;
      default:
        return DONE;
    }
  }

  #apply(place: FakeNamespace, input: string): CommandResult {
    const refused = this.#refuses(input);
    if (refused) return refused;
    place.transactions.push(input);
    const comments = [...input.matchAll(/seal return comment "([^"]*)"/g)].map(([, text = '']) => text);
    place.seal = comments.length === 0 ? undefined : comments;
    return DONE;
  }

  #refuses(input: string): CommandResult | undefined {
    if (this.poison === '' || !input.includes(this.poison)) return undefined;
    return { code: 1, stdout: '', stderr: `/dev/stdin:1:1-9: Error: ${this.poison} is not for this kernel` };
  }

  #iptables([action = '', name = '', ...rest]: readonly string[]): CommandResult {
    if (action === '-S' && name === '') {
      // Chains come first, then what is in them.
      const all = [...this.chains.values()].flat();
      const lines = [
        ...all.filter((one) => !one.startsWith('-A')),
        ...all.filter((one) => one.startsWith('-A')),
      ];
      return { ...DONE, stdout: `${lines.join('\n')}\n` };
    }
    const chain = this.chains.get(name);
    if (!chain) return { code: 1, stdout: '', stderr: 'iptables: No chain/target/match by that name.' };
    if (action === '-S') return { ...DONE, stdout: `${chain.join('\n')}\n` };
    if (action === '-I') {
      const [at = '1', ...rule] = rest;
      chain.splice(Number(at), 0, ['-A', name, ...rule].join(' '));
      return DONE;
    }
    const at = chain.indexOf(['-A', name, ...rest].join(' '));
    if (at < 0) return { code: 1, stdout: '', stderr: 'iptables: Bad rule' };
    chain.splice(at, 1);
    return DONE;
  }
}

function noted(place: FakeNamespace, input: string): CommandResult {
  if (input !== '') place.overlayLines.push(...input.trim().split('\n'));
  return DONE;
}

/** Engines have their hosts forward. */
function shownSetting({ settings }: FakeNamespace, path: string): string {
  return settings.get(path) ?? (path.endsWith('forward') || path.endsWith('forwarding') ? '1' : '0');
}

function settingOf(path: string): string {
  return path.replace('/proc/sys/', '');
}

function shownSeal({ seal }: FakeNamespace): CommandResult {
  if (!seal) return NO_FILE;
  return { ...DONE, stdout: seal.map((text) => `\t\treturn comment "${text}"\n`).join('') };
}

function shownLinks({ links }: FakeNamespace): CommandResult {
  const shown = links.map(({ name, index, addresses }) => ({
    ifindex: index,
    ifname: name,
    mtu: 1450,
    flags: ['UP'],
    addr_info: addresses.map(({ address, prefix, label }) => ({
      ...{ family: 'inet', local: address, prefixlen: prefix, label },
    })),
  }));
  return { ...DONE, stdout: JSON.stringify(shown) };
}

/** `addr replace ADDRESS/32 dev DEVICE label LABEL` and `addr del ADDRESS/32 dev DEVICE`. */
function changeAddresses({ links }: FakeNamespace, input: string): CommandResult {
  for (const line of input.trim().split('\n')) {
    const [, action, full = '', , device, , label = ''] = line.split(' ');
    const [address = '', prefix = ''] = full.split('/');
    const link = links.find(({ name }) => name === device);
    if (!link) continue;
    const at = link.addresses.findIndex((one) => one.address === address);
    if (at >= 0) link.addresses.splice(at, 1);
    if (action === 'replace') link.addresses.push({ address, prefix: Number(prefix), label });
  }
  return DONE;
}

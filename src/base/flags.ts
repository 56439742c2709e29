/** One option of a command. The first name is the one shown first and the key of its value. */
export interface FlagSpec {
  names: readonly [string, ...string[]];
  kind: 'bool' | 'string' | 'int' | 'list';
  /** Shown in the help as the original shows it: in quotes behind the name. Lists show theirs in the text. */
  default?: string;
  usage: string;
  env?: string;
}

/** What the flags and their variables say, by first name. Absent: neither said anything. */
export interface FlagValues {
  bool(name: string): boolean;
  /** The flag's value, its variable's, or its default; `''` without any. */
  text(name: string): string;
  list(name: string): readonly string[];
  /** Whether a flag or its variable gave it. */
  isSet(name: string): boolean;
}

export type ParseResult =
  { kind: 'parsed'; values: FlagValues; rest: readonly string[] } | { kind: 'wrong'; message: string };

export interface ParseOptions {
  env: NodeJS.ProcessEnv;
  /** Take flags behind the first argument too. Off for the global ones, where a command's own flags follow. */
  mixed: boolean;
  /** What is added to the error about a flag that is not known; empty where there is nothing to say. */
  hint?: (name: string) => string;
}

/** Reads flags as Go programs do: one or two dashes, `-f v`, `-f=v`, `--` ends; a bool takes its value only by `=`. */
export function parseFlags(
  specs: readonly FlagSpec[],
  args: readonly string[],
  options: ParseOptions,
): ParseResult {
  const given = new Map<string, string[]>();
  const spelled = new Map<string, string>();
  const rest: string[] = [];
  const queue = [...args];
  for (let arg = queue.shift(); arg !== undefined; arg = queue.shift()) {
    if (arg === '--') {
      rest.push(...queue);
      break;
    }
    if (!arg.startsWith('-') || arg === '-') {
      rest.push(arg);
      if (options.mixed) continue;
      rest.push(...queue);
      break;
    }
    const match = /^--?([^-=][^=]*)(?:=([\s\S]*))?$/.exec(arg);
    const name = match?.[1];
    if (match === null || name === undefined) return wrong(`bad flag syntax: ${arg}`);
    const spec = specs.find((one) => one.names.includes(name));
    if (!spec) return wrong(`flag provided but not defined: -${name}${options.hint?.(name) ?? ''}`);
    const value = match[2] ?? (spec.kind === 'bool' ? 'true' : queue.shift());
    if (value === undefined) return wrong(`flag needs an argument: -${name}`);
    const fault = faultOf(spec, name, value);
    if (fault !== undefined) return wrong(fault);
    const key = spec.names[0];
    const earlier = spelled.get(key);
    if (earlier !== undefined && earlier !== name && spec.kind !== 'list')
      return wrong(`Cannot use two forms of the same flag: ${name} ${earlier}`);
    spelled.set(key, name);
    given.set(key, [...(given.get(key) ?? []), value]);
  }
  return { kind: 'parsed', values: valuesOf(specs, given, options.env), rest };
}

function faultOf(spec: FlagSpec, name: string, value: string): string | undefined {
  const because = `: invalid syntax`;
  if (spec.kind === 'bool' && boolOf(value) === undefined)
    return `invalid boolean value ${JSON.stringify(value)} for -${name}${because}`;
  if (spec.kind === 'int' && !/^[+-]?\d{1,15}$/.test(value))
    return `invalid value ${JSON.stringify(value)} for flag -${name}${because}`;
  return undefined;
}

function valuesOf(
  specs: readonly FlagSpec[],
  given: ReadonlyMap<string, readonly string[]>,
  env: NodeJS.ProcessEnv,
): FlagValues {
  const fromEnv = (name: string): string | undefined => {
    const variable = specs.find((spec) => spec.names[0] === name)?.env;
    return variable === undefined ? undefined : env[variable] || undefined;
  };
  const last = (name: string): string | undefined => given.get(name)?.at(-1) ?? fromEnv(name);
  const fallback = (name: string): string => specs.find((spec) => spec.names[0] === name)?.default ?? '';
  return {
    // DEBUG is set by many programs to something else; only a boolean word is meant for us.
    bool: (name) => boolOf(last(name) ?? 'false') ?? false,
    text: (name) => last(name) ?? fallback(name),
    list: (name) =>
      given.get(name) ??
      fromEnv(name)
        ?.split(',')
        .map((item) => item.trim()) ??
      [],
    isSet: (name) => last(name) !== undefined,
  };
}

/** The words Go reads as booleans. */
function boolOf(word: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(word)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(word)) return false;
  return undefined;
}

function wrong(message: string): ParseResult {
  return { kind: 'wrong', message };
}

import { SwarmError } from '../base/errors.ts';
import { type Expression, parseExpressions } from './expression.ts';

export type ReschedulePolicy = 'off' | 'on-node-failure';

/** What a user says about placement, by whichever way it came. */
export interface PlacementWishes {
  readonly constraints: readonly Expression[];
  readonly affinities: readonly Expression[];
  readonly whitelists: readonly Expression[];
  /** None or one. */
  readonly reschedulePolicies: readonly ReschedulePolicy[];
}

export interface ExtractedConfig extends PlacementWishes {
  /** The environment that the container gets. */
  readonly env: string[];
  /** The labels that it gets: those given, with the expressions of the environment added as JSON arrays. */
  readonly labels: Record<string, string>;
}

export interface ExtractedBuildArgs extends PlacementWishes {
  /** The arguments that the build gets. */
  readonly buildArgs: Record<string, string | null>;
}

const LABEL_PREFIX = 'com.docker.swarm.';

/** The word before the colon in an environment, and the end of the label's name. */
const WAYS = [
  { prefix: 'constraint:', label: `${LABEL_PREFIX}constraints` },
  { prefix: 'affinity:', label: `${LABEL_PREFIX}affinities` },
  { prefix: 'whitelist:', label: `${LABEL_PREFIX}whitelists` },
  { prefix: 'reschedule:', label: `${LABEL_PREFIX}reschedule-policies` },
] as const;

type Label = (typeof WAYS)[number]['label'];
type Texts = Record<Label, string[]>;

function noTexts(): Texts {
  return {
    'com.docker.swarm.constraints': [],
    'com.docker.swarm.affinities': [],
    'com.docker.swarm.whitelists': [],
    'com.docker.swarm.reschedule-policies': [],
  };
}

/** Puts an expression where it belongs; false when the text is none. */
function collect(texts: Texts, text: string): boolean {
  const way = WAYS.find(({ prefix }) => text.startsWith(prefix));
  if (way) texts[way.label].push(text.slice(way.prefix.length));
  return way !== undefined;
}

function parseLabel(label: string, json: string): string[] {
  const wrong = new SwarmError('invalid', `Label '${label}' must be a JSON array of strings`);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw wrong;
  }
  if (value === null) return [];
  if (!Array.isArray(value)) throw wrong;
  return value.map((item: unknown) => {
    if (typeof item !== 'string') throw wrong;
    return item;
  });
}

function isPolicy(text: string): text is ReschedulePolicy {
  return text === 'off' || text === 'on-node-failure';
}

function toWishes(texts: Texts): PlacementWishes {
  const policies = texts['com.docker.swarm.reschedule-policies'];
  if (policies.length > 1) throw new SwarmError('invalid', 'too many reschedule policies');
  const reschedulePolicies = policies.map((policy) => {
    if (!isPolicy(policy)) throw new SwarmError('invalid', `invalid reschedule policy: ${policy}`);
    return policy;
  });
  return {
    constraints: parseExpressions('constraint', texts['com.docker.swarm.constraints']),
    affinities: parseExpressions('affinity', texts['com.docker.swarm.affinities']),
    whitelists: parseExpressions('whitelist', texts['com.docker.swarm.whitelists']),
    reschedulePolicies,
  };
}

/**
 * Takes the expressions out of a container's environment and labels. Those of the labels come first; those of
 * the environment are added to the labels, so that the container can be made again elsewhere. Throws
 * SwarmError `invalid`.
 */
export function extractExpressions(config: {
  readonly env: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}): ExtractedConfig {
  const given = noTexts();
  const env = config.env.filter((entry) => !collect(given, entry));
  const labels = { ...config.labels };
  const texts = noTexts();
  for (const { label } of WAYS) {
    const inLabel = Object.hasOwn(labels, label) ? parseLabel(label, labels[label] ?? '') : [];
    texts[label] = [...inLabel, ...given[label]];
    if (given[label].length > 0) labels[label] = JSON.stringify(texts[label]);
  }
  return { env, labels, ...toWishes(texts) };
}

/**
 * A build argument as the user typed it. Clients cut `constraint:node==core-01` at the first '=', at the last
 * one, after the operator, or not at all (the value is then null or empty).
 */
function argumentText(key: string, value: string | null): string {
  if (value === null) return key;
  if (value === '' && /[!=]=./.test(key)) return key;
  if (/[!=]=$/.test(key)) return key + value;
  return key.endsWith('=') && value.startsWith('=') ? key + value : `${key}=${value}`;
}

/** Takes the expressions out of `--build-arg`. Throws SwarmError `invalid`. */
export function extractBuildArgExpressions(
  buildArgs: Readonly<Record<string, string | null>>,
): ExtractedBuildArgs {
  const texts = noTexts();
  const kept = Object.entries(buildArgs).filter(([key, value]) => !collect(texts, argumentText(key, value)));
  return { buildArgs: Object.fromEntries(kept), ...toWishes(texts) };
}

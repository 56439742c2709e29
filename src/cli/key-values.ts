import { SwarmError } from '../base/errors.ts';

/** What `--cluster-opt swarm.…=…` sets. */
export interface ClusterOpts {
  /** 0.05 lets 5 % more be reserved than an engine has; above -1. */
  overcommit: number;
  /** Further tries of a create that failed. */
  createRetry: number;
}

/** Throws `invalid` for keys that are unknown and values out of range, in the original's words where it had some. */
export function clusterOpts(options: readonly string[]): ClusterOpts {
  const result = { overcommit: 0.05, createRetry: 0 };
  for (const [key, value] of keyValues('cluster-opt', options)) {
    if (key === 'swarm.overcommit') result.overcommit = overcommitOf(value);
    else if (key === 'swarm.createretry') result.createRetry = createRetryOf(value);
    else if (key.startsWith('mesos.')) throw unsupportedCluster('mesos-experimental');
    else
      throw new SwarmError(
        'invalid',
        `unknown --cluster-opt "${key}": swarm.overcommit and swarm.createretry are known`,
      );
  }
  return result;
}

export function unsupportedCluster(driver: string): SwarmError {
  return new SwarmError('invalid', `unsupported cluster ${JSON.stringify(driver)}`);
}

function overcommitOf(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new SwarmError(
      'invalid',
      `swarm.overcommit should be a number, ${JSON.stringify(text)} is invalid`,
    );
  if (value <= -1)
    throw new SwarmError(
      'invalid',
      `swarm.overcommit should be larger than -1, ${value.toFixed(6)} is invalid`,
    );
  return value;
}

function createRetryOf(text: string): number {
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new SwarmError(
      'invalid',
      `swarm.createretry should be a number, ${JSON.stringify(text)} is invalid`,
    );
  if (value < 0)
    throw new SwarmError('invalid', `swarm.createretry can not be negative, ${value} is invalid`);
  return value;
}

export function keyValues(flag: string, options: readonly string[]): Map<string, string> {
  const result = new Map<string, string>();
  for (const option of options) {
    const cut = option.indexOf('=');
    if (cut < 1) throw new SwarmError('invalid', `--${flag} must contain key=value strings`);
    result.set(option.slice(0, cut), option.slice(cut + 1));
  }
  return result;
}

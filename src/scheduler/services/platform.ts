import type { Node, Platform } from '../../model/index.ts';

/** Engines say `x86_64` where images say `amd64`. */
const ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ['x86_64', 'amd64'],
  ['aarch64', 'arm64'],
]);
const architectureOf = ({ architecture }: Platform): string =>
  ARCHITECTURES.get(architecture) ?? architecture;

/**
 * Whether a node can run what is made for any of these platforms; '' stands for every architecture or system, and no
 * platforms for all. A node that has not said what it is can run nothing that is particular.
 */
export function hasPlatform(node: Node, wanted: readonly Platform[]): boolean {
  if (wanted.length === 0) return true;
  const has = node.description?.platform;
  if (!has) return false;
  const architecture = architectureOf(has);
  return wanted.some(
    (platform) =>
      (platform.architecture === '' || architectureOf(platform) === architecture) &&
      (platform.os === '' || platform.os === has.os),
  );
}

import { aliasesOf, removeAliases } from './kernel/links.ts';
import type { Kernel } from './kernel/kernel.ts';
import type { Frame } from './rules/types.ts';

/**
 * Takes away what the balancer has put into a namespace, whether by this process or one before it: addresses
 * first, so that nobody comes, then rules; kernel settings become what they were. It may be run again.
 */
export async function clearPlace(kernel: Kernel, path: string, frame?: Frame): Promise<void> {
  const links = await kernel.links(path);
  const aliases = links.flatMap((link) => removeAliases(link.name, aliasesOf(link)));
  await kernel.ip(
    path,
    aliases.map((args) => ({ args, mayFail: true })),
  );
  const seal = await kernel.seal(path);
  await kernel.removeRules(path);
  await kernel.ip(
    path,
    (frame?.routes ?? []).map(({ undo }) => ({ args: undo, mayFail: true })),
  );
  for (const [name, value] of seal?.before ?? [])
    if (await kernel.settings(path, [name])) await kernel.set(path, name, value);
}

import { NOT_STARTED } from '../kernel/commands.ts';
import type { Kernel } from '../kernel/kernel.ts';

/** Whether the host has the program `bridge`, without which nothing is put into overlays. */
export async function hasBridge({ commands }: Kernel): Promise<boolean> {
  return (await commands.run({ netns: '', program: 'bridge', args: ['-V'] })).code !== NOT_STARTED;
}

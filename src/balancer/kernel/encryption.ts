import { SYSTEM_COMMANDS, type Commands } from './commands.ts';

const KEY = `0x${'01'.repeat(20)}`;

/**
 * Whether the kernel can encrypt overlay networks as engines do it, by ESP with AES-GCM: tried in a network namespace
 * that ends with the trial. Undefined where it can't be tried.
 */
export async function canEncrypt(commands: Commands = SYSTEM_COMMANDS): Promise<boolean | undefined> {
  const state = ['src', '192.0.2.1', 'dst', '192.0.2.2', 'proto', 'esp', 'spi', '1', 'mode', 'transport'];
  const cipher = ['aead', 'rfc4106(gcm(aes))', KEY, '64'];
  const args = ['--net', '--', 'ip', 'xfrm', 'state', 'add', ...state, ...cipher];
  const { code, stderr } = await commands.run({ netns: '', program: 'unshare', args });
  if (code === 0) return true;
  // Anything but the kernel's own refusal says nothing about the kernel.
  const refused =
    /RTNETLINK answers|(algorithm|type) not found|not supported/.test(stderr) &&
    !/not permitted/.test(stderr);
  return refused ? false : undefined;
}

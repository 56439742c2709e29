import type { DoctorFinding } from '../../../model/index.ts';
import { fault } from '../finding.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Entry } from './entry-links.ts';
import { GATEWAY_BRIDGE } from '../../rules/index.ts';

const ALL = 'net/ipv4/ip_forward';

/** Whether the kernel forwards anything between other hosts and the mesh. Throws where that can't be seen. */
export async function forwardingFindings(
  kernel: Kernel,
  entries: readonly Entry[],
): Promise<readonly DoctorFinding[]> {
  const links = new Set(entries.map(({ link }) => link));
  const paths = [ALL, ...[GATEWAY_BRIDGE, ...links].map((link) => `net/ipv4/conf/${link}/forwarding`)];
  const values = await Promise.all(paths.map((path) => kernel.settings('', [path])));
  const off = paths.filter((_, at) => values[at]?.[0] === '0');
  const first = off.includes(ALL) ? [ALL] : off;
  return first.map((path) => {
    // An interface's name may have dots.
    const name = path.includes('.') ? path : path.replaceAll('/', '.');
    const lost =
      path === ALL
        ? 'published ports answer on this host alone, and containers reach nothing outside'
        : `nothing goes on that came in by ${path.split('/')[3]}`;
    return fault(
      'forwarding',
      `The kernel does not forward (${name} is 0): ${lost}. Set it to 1 (sysctl -w ${name}=1), and see what set it to 0, ` +
        'below /etc/sysctl.d mostly',
    );
  });
}

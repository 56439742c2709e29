import { messageOf, SwarmError } from '../../base/errors.ts';
import type { DoctorFinding } from '../../model/index.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Frame, Unit } from '../rules/index.ts';
import type { Sandbox } from '../sandboxes.ts';
import { fault, ok, warning } from './finding.ts';
import { differences } from './listing.ts';

/** Whether a place's rules and addresses are, in the kernel, what they should be. */
export async function rulesFinding(
  kernel: Kernel,
  frame: Frame,
  units: ReadonlyMap<string, Unit>,
  sandbox: Sandbox,
  name: string,
): Promise<DoctorFinding> {
  const subject = `rules of ${name}`;
  const lines = [...frame.nft, ...[...units.values()].flatMap(({ add }) => add)];
  try {
    const [wished, found] = await Promise.all([kernel.tryListing(lines), kernel.listing(sandbox.path)]);
    if (found === undefined)
      return fault(
        subject,
        'They were deleted, as by nft flush ruleset or by a firewall that was loaded anew; swarmd puts them back within seconds',
      );
    const other = differences(wished, found);
    if (other.length > 0)
      return fault(
        subject,
        `They are not what they should be (${other.slice(0, 5).join(', ')}); swarmd puts them back within seconds`,
      );
    const links = await kernel.links(sandbox.path);
    const present = new Set(links.flatMap(({ addresses }) => addresses.map(({ address }) => address)));
    const missing = [...units.values()]
      .flatMap(({ addresses }) => addresses)
      .filter((one) => !present.has(one));
    if (missing.length > 0)
      return fault(
        subject,
        `The sandbox does not answer for ${missing.slice(0, 5).join(', ')}; swarmd puts them back within seconds`,
      );
    return ok(
      subject,
      `They are in force, for ${units.size === 1 ? 'one service' : `${units.size} services`}`,
    );
  } catch (error) {
    if (error instanceof SwarmError && error.code === 'not-found')
      return warning(
        subject,
        'The engine takes the sandbox away or makes it anew at this moment: look again',
      );
    return fault(subject, `They can't be seen: ${messageOf(error)}`);
  }
}

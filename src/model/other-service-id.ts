import { idFrom } from '../base/ids.ts';

/**
 * A second id for a service. Engines remember of each id whether its name means a virtual IP or the tasks, and take what
 * the first task of an id says for all that follow; so tasks that are told otherwise than those that run come under
 * the other one, and the name means both for as long as both run.
 */
export function otherServiceId(serviceId: string): string {
  return idFrom(`other id of ${serviceId}`);
}

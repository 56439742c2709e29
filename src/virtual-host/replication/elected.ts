import type { Election } from '../../discovery/index.ts';
import type { Leadership } from './leadership.ts';

/** The leadership that an election decides, `own` being the value by which this manager takes part in it. */
export function electedLeadership(election: Election, own: string): Leadership {
  return {
    get role() {
      return election.leads() ? 'primary' : 'replica';
    },
    get primary() {
      const { holder } = election;
      // Its own value is a former run of this manager, whose lease still lasts; an empty one a lock that nobody can have yet.
      return holder === own || holder === '' ? undefined : holder;
    },
    leads: () => election.leads(),
    listen: (listener) => election.listen(listener),
  };
}

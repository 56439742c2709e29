import { SwarmError } from '../../base/errors.ts';
import { FilterTests, matchesLabels, queryFilters } from '../../docker-api/index.ts';
import type { Node } from '../../model/index.ts';
import { beginsWithOne } from '../filters.ts';

const KNOWN = ['id', 'label', 'node.label', 'membership', 'name', 'role'];
const ROLES: readonly string[] = ['worker', 'manager'];
/** Every node that joins is accepted. */
const MEMBERSHIPS: readonly string[] = ['accepted', 'pending'];

/** The filters of `GET /nodes`. Throws `invalid` in Docker's words. */
export function nodeFilters(query: URLSearchParams): FilterTests<Node> {
  const filters = queryFilters(query, KNOWN);
  const tests = new FilterTests<Node>(filters);
  tests.on(
    'id',
    (prefixes) =>
      ({ id }) =>
        beginsWithOne(id, prefixes),
  );
  tests.on('name', (prefixes) => ({ description }) => {
    return description !== undefined && beginsWithOne(description.hostname, prefixes);
  });
  tests.on('label', (labels) => ({ description }) => {
    return description !== undefined && matchesLabels(description.engineLabels, labels);
  });
  tests.on(
    'node.label',
    (labels) =>
      ({ spec }) =>
        matchesLabels(spec.annotations.labels, labels),
  );
  tests.on('role', (roles) => {
    refuseUnknown(roles, ROLES, 'role');
    return ({ role }) => roles.includes(role);
  });
  tests.on('membership', (words) => {
    refuseUnknown(words, MEMBERSHIPS, 'membership');
    return () => words.includes('accepted');
  });
  return tests;
}

function refuseUnknown(words: readonly string[], known: readonly string[], what: string): void {
  for (const word of words)
    if (!known.includes(word)) throw new SwarmError('invalid', `Invalid ${what} filter: '${word}'`);
}

import { FilterTests, matchesLabels, type Filters } from '../docker-api/index.ts';

/** What networks and volumes of the cluster have in common. */
interface Placed {
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly nodes: readonly { readonly name: string; readonly id: string }[];
}

/** The tests by driver, label and node; others are added by who asks. */
export function clusterFilters<T extends Placed>(filters: Filters): FilterTests<T> {
  const tests = new FilterTests<T>(filters);
  tests.on(
    'driver',
    (values) =>
      ({ driver }) =>
        values.includes(driver),
  );
  tests.on(
    'label',
    (values) =>
      ({ labels }) =>
        matchesLabels(labels, values),
  );
  tests.on(
    'node',
    (values) =>
      ({ nodes }) =>
        nodes.some(({ name, id }) => values.includes(name) || values.includes(id)),
  );
  return tests;
}

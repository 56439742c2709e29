import { FilterTests, matchesLabels, type Filters } from '../docker-api/index.ts';
import type { Annotations } from '../model/index.ts';

interface Labelled {
  readonly id: string;
  readonly spec: { readonly annotations: Annotations };
}

/** The filters that most kinds have: the beginning of an id, the beginning of a name, labels. */
export function commonFilters<T extends Labelled>(filters: Filters): FilterTests<T> {
  const tests = new FilterTests<T>(filters);
  tests.on('id', (values) => (object) => beginsWithOne(object.id, values));
  tests.on(
    'name',
    (values) =>
      ({ spec }) =>
        beginsWithOne(spec.annotations.name, values),
  );
  tests.on(
    'label',
    (values) =>
      ({ spec }) =>
        matchesLabels(spec.annotations.labels, values),
  );
  return tests;
}

export function beginsWithOne(text: string, beginnings: readonly string[]): boolean {
  return beginnings.some((beginning) => text.startsWith(beginning));
}

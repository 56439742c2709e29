import { FilterTests, matchesLabels, queryFilters, type Filters } from '../../docker-api/index.ts';
import type { Config, Secret } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import type { Handler } from '../context.ts';
import { beginsWithOne } from '../filters.ts';
import { findOne } from '../find.ts';
import { sendList } from '../send-list.ts';
import { configJson, secretJson } from '../shapes/data.ts';
import type { DataKind } from './create.ts';

/** `GET /secrets`, `GET /configs` */
export function listData(kind: DataKind): Handler {
  const known = ['id', 'label', 'name', ...(kind === 'secret' ? ['names'] : [])];
  return async (call, { store: { view } }) => {
    const filters = queryFilters(call.query, known);
    await sendList(call, chosen(view, kind, filters), (object) => shown(kind, object));
  };
}

/** Ids and names are alternatives here, unlike in other lists: that is how SwarmKit looks these up. */
function chosen(view: View, kind: DataKind, filters: Filters): readonly (Secret | Config)[] {
  const tests = new FilterTests<Secret | Config>(filters);
  tests.on(
    'label',
    (values) =>
      ({ spec }) =>
        matchesLabels(spec.annotations.labels, values),
  );
  const [ids = [], beginnings = [], names = []] = ['id', 'name', 'names'].map((key) => filters.get(key));
  if (ids.length + beginnings.length + names.length > 0) {
    tests.add(({ id, spec: { annotations } }) => {
      if (beginsWithOne(id, ids) || beginsWithOne(annotations.name, beginnings)) return true;
      return names.includes(annotations.name);
    });
  }
  return tests.choose([...view.all(kind)]);
}

/** `GET /secrets/{id}`, `GET /configs/{id}` */
export function inspectData(kind: DataKind): Handler {
  return async (call, { store: { view } }) => {
    call.json(200, shown(kind, findOne(view, kind, call.param('id'))));
  };
}

function shown(kind: DataKind, object: Secret | Config): unknown {
  return kind === 'secret' ? secretJson(object) : configJson(object);
}

import { readJson } from '../../docker-api/index.ts';
import type { Handler } from '../context.ts';
import { findOne } from '../find.ts';
import { queryVersion } from '../query.ts';
import { outOfSequence, rpcError } from '../rpc-error.ts';
import { dataSpecs } from '../shapes/data.ts';
import { readBodyAs } from '../shapes/shape.ts';
import type { DataKind } from './create.ts';

/** `POST /secrets/{id}/update`, `POST /configs/{id}/update`: labels may change, and nothing else. */
export function updateData(kind: DataKind): Handler {
  return async (call, { store }) => {
    const { annotations, data } = readBodyAs(dataSpecs[kind], await readJson(call.req));
    const version = queryVersion(call.query, kind);
    const { id } = findOne(store.view, kind, call.param('id'));
    await store.update((tx) => {
      const object = tx.get(kind, id);
      if (!object) throw rpcError('NotFound', `${kind} ${id} not found`);
      const { spec, meta } = object;
      const changesData = data !== undefined && Buffer.compare(data, spec.data) !== 0;
      if (annotations.name !== spec.annotations.name || changesData) {
        throw rpcError('InvalidArgument', 'only updates to Labels are allowed');
      }
      if (meta.version !== version) throw outOfSequence();
      const { labels } = annotations;
      tx.update(kind, { ...object, spec: { ...spec, annotations: { ...spec.annotations, labels } } });
    });
    call.empty(200);
  };
}

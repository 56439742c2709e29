import type { Handler } from '../context.ts';
import { findOne } from '../find.ts';
import { rpcError } from '../rpc-error.ts';
import type { DataKind } from './create.ts';

/** `DELETE /secrets/{id}`, `DELETE /configs/{id}`: refused while a service names it. */
export function removeData(kind: DataKind): Handler {
  return async (call, { store }) => {
    const { id, spec } = findOne(store.view, kind, call.param('id'));
    const { name } = spec.annotations;
    await store.update((tx) => {
      const users = [...tx.servicesUsing(kind, id)].map((service) => service.spec.annotations.name);
      if (users.length > 0) {
        const who = `service${users.length === 1 ? '' : 's'}: ${users.join(', ')}`;
        throw rpcError('InvalidArgument', `${kind} '${name}' is in use by the following ${who}`);
      }
      if (!tx.remove(kind, id)) throw rpcError('NotFound', `could not find ${kind} ${id}`);
    });
    call.empty(204);
  };
}

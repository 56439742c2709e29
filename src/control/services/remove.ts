import type { Handler } from '../context.ts';
import { findOne } from '../find.ts';
import { rpcError } from '../rpc-error.ts';

/** `DELETE /services/{id}`: the row goes, and the orchestrator sees to its tasks. */
export const removeService: Handler = async (call, { store }) => {
  const { id } = findOne(store.view, 'service', call.param('id'));
  await store.update((tx) => {
    if (!tx.remove('service', id)) throw rpcError('NotFound', `service ${id} not found`);
  });
  call.empty(200);
};

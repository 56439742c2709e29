import type { Route } from '../context.ts';
import { createData } from './create.ts';
import { inspectData, listData } from './read.ts';
import { removeData } from './remove.ts';
import { updateData } from './update.ts';

/** Secrets and configs, which differ in their limits and in what is shown. */
export const dataRoutes: readonly Route[] = (['secret', 'config'] as const).flatMap((kind) => [
  { method: 'GET', pattern: `/${kind}s`, handler: listData(kind) },
  { method: 'POST', pattern: `/${kind}s/create`, handler: createData(kind) },
  { method: 'GET', pattern: `/${kind}s/{id}`, handler: inspectData(kind) },
  { method: 'POST', pattern: `/${kind}s/{id}/update`, handler: updateData(kind) },
  { method: 'DELETE', pattern: `/${kind}s/{id}`, handler: removeData(kind) },
]);

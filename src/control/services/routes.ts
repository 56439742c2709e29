import type { Route } from '../context.ts';
import { serviceLogs, whoHasLogs } from '../logs/routes.ts';
import { createService } from './create.ts';
import { inspectService, listServices } from './read.ts';
import { removeService } from './remove.ts';
import { updateService } from './update.ts';

export const serviceRoutes: readonly Route[] = [
  { method: 'GET', pattern: '/services', handler: listServices },
  { method: 'POST', pattern: '/services/create', handler: createService },
  { method: 'GET', pattern: '/services/{id}/logs', at: whoHasLogs, handler: serviceLogs },
  { method: 'GET', pattern: '/services/{id}', handler: inspectService },
  { method: 'POST', pattern: '/services/{id}/update', handler: updateService },
  { method: 'DELETE', pattern: '/services/{id}', handler: removeService },
];

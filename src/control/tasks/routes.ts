import type { Route } from '../context.ts';
import { taskLogs, whoHasLogs } from '../logs/routes.ts';
import { inspectTask, listTasks } from './read.ts';

export const taskRoutes: readonly Route[] = [
  { method: 'GET', pattern: '/tasks', handler: listTasks },
  { method: 'GET', pattern: '/tasks/{id}/logs', at: whoHasLogs, handler: taskLogs },
  { method: 'GET', pattern: '/tasks/{id}', handler: inspectTask },
];

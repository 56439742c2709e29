import type { Route } from '../context.ts';
import { taskLogs } from '../logs/routes.ts';
import { inspectTask, listTasks } from './read.ts';

export const taskRoutes: readonly Route[] = [
  { method: 'GET', pattern: '/tasks', handler: listTasks },
  { method: 'GET', pattern: '/tasks/{id}/logs', at: 'leader', handler: taskLogs },
  { method: 'GET', pattern: '/tasks/{id}', handler: inspectTask },
];

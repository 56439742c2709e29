import { sqliteBackend } from '../store/index.ts';
import type { StateFolder } from './state-folder.ts';

/** Copies a state that no process has open to a new file; sealed, where it is. Throws as `backupTo` of the backend. */
export async function copyAtRest(folder: StateFolder, target: string): Promise<void> {
  const backend = sqliteBackend(folder.path, { raise: false });
  try {
    await backend.backupTo(target);
  } finally {
    await backend.close();
  }
}

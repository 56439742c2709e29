import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileReason } from '../base/file-reason.ts';
import { SwarmError } from '../base/errors.ts';

/** A file to be written, below some folder. */
export interface NewFile {
  name: string;
  text: string;
  mode: number;
}

/** Nobody but the owner looks into a folder with a key in it. */
const FOLDER_MODE = 0o700;

/** Makes a folder and those above it where they are missing. Throws `unavailable`. */
export function ensureFolder(path: string): void {
  saying(path, () => mkdirSync(path, { recursive: true, mode: FOLDER_MODE }));
}

/**
 * Makes a folder with these files, whole or not at all. False, changing nothing, where something is in its place.
 * Throws `unavailable`.
 */
export function createFolder(path: string, files: readonly NewFile[]): boolean {
  const draft = draftBeside(path);
  return saying(path, () => {
    try {
      mkdirSync(draft, { mode: FOLDER_MODE });
      for (const file of files) writeWhole(join(draft, file.name), file);
      syncFolder(draft);
      renameSync(draft, path);
      syncFolder(dirname(path));
      return true;
    } catch (error) {
      if (isTaken(error)) return false;
      throw error;
    } finally {
      rmSync(draft, { recursive: true, force: true });
    }
  });
}

/** Writes a file that was not there, whole or not at all. False, changing nothing, where one is. Throws `unavailable`. */
export function createFile(path: string, file: Omit<NewFile, 'name'>): boolean {
  const draft = draftBeside(path);
  return saying(path, () => {
    try {
      writeWhole(draft, file);
      linkNew(draft, path);
      syncFolder(dirname(path));
      return true;
    } catch (error) {
      if (isTaken(error)) return false;
      throw error;
    } finally {
      rmSync(draft, { force: true });
    }
  });
}

/**
 * Puts files in the place of what is there, each whole or not at all, in their order, and only when all of them could
 * be written. The folder stays the same one: a container may have it mounted. Throws `unavailable`.
 */
export function replaceFiles(folder: string, files: readonly NewFile[]): void {
  saying(folder, () => {
    const drafts = files.map((file) => ({ file, path: draftBeside(join(folder, file.name)) }));
    try {
      for (const { file, path } of drafts) writeWhole(path, file);
      for (const { file, path } of drafts) renameSync(path, join(folder, file.name));
      syncFolder(folder);
    } finally {
      for (const { path } of drafts) rmSync(path, { force: true });
    }
  });
}

/** A link fails where something is; file systems without links get a rename behind a look. */
function linkNew(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    if (isTaken(error) || existsSync(path)) throw error;
    renameSync(draft, path);
  }
}

function draftBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
}

function writeWhole(path: string, { text, mode }: Omit<NewFile, 'name'>): void {
  const file = openSync(path, 'wx', mode);
  try {
    writeFileSync(file, text); // to the end, where one write may stop half way
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function isTaken(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EEXIST' || code === 'ENOTEMPTY' || code === 'ENOTDIR';
}

function saying<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new SwarmError('unavailable', `cannot write ${path}: ${fileReason(error)}`, { cause: error });
  }
}

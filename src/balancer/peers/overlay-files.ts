import type { NetnsFile } from '../namespaces.ts';

/** A file's name is cut to this; how often the engine has made the network stands before its id: `1-ej5c0fnzqj`. */
const NAME_LENGTH = 12;
const NAME = /^\d{1,4}-(\w+)$/;

/** The namespaces in which an engine has the bridges of an overlay network, the newest first; mostly one. */
export function overlayFiles(files: readonly NetnsFile[], networkId: string): NetnsFile[] {
  return files
    .filter(({ name }) => isOverlay(name) && networkId.startsWith(NAME.exec(name)?.[1] ?? '-'))
    .reverse();
}

export function isOverlay(name: string): boolean {
  return name.length === NAME_LENGTH && NAME.test(name);
}

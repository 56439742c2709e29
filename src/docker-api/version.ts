/** An API version by its minor number: 41 is 1.41. Docker never left major version 1. */
export type ApiMinor = number;

/** The oldest clients that are served: Docker 1.9. */
export const MIN_API_MINOR: ApiMinor = 21;

export function versionText(minor: ApiMinor): string {
  return `1.${minor}`;
}

/** Reads `1.41`; undefined when it is anything else. */
export function parseApiVersion(text: unknown): ApiMinor | undefined {
  if (typeof text !== 'string') return undefined;
  const match = /^1\.(\d{1,3})$/.exec(text);
  return match ? Number(match[1]) : undefined;
}

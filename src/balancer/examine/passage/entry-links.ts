import type { Link } from '../../kernel/links.ts';

/** What an engine makes on its host: bridges, and their containers' ends. */
const ENGINES = /^(lo|docker0|docker_gwbridge|br-[0-9a-f]{12}|veth.*)$/;

/** The interfaces by which packets of other hosts come. */
export function entryLinks(links: readonly Link[]): string[] {
  return links
    .filter(({ name, up, addresses }) => up && addresses.length > 0 && !ENGINES.test(name))
    .map(({ name }) => name);
}

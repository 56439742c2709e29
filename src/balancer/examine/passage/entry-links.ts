import type { Link } from '../../kernel/links.ts';

/** What an engine makes on its host: bridges, and their containers' ends. */
const ENGINES = /^(lo|docker0|docker_gwbridge|br-[0-9a-f]{12}|veth.*)$/;

/** Where packets of other hosts come in. */
export interface Entry {
  /** The interface. */
  readonly link: string;
  /** One of its addresses. */
  readonly address: string;
}

export function entriesIn(links: readonly Link[]): Entry[] {
  return links
    .filter(({ name, up }) => up && !ENGINES.test(name))
    .flatMap(({ name, addresses }) => addresses.map(({ address }) => ({ link: name, address })));
}

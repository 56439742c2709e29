import { holds, parseCidr, parseIp } from '../../../base/cidr.ts';

/** What of a host's traffic a question is about: all that has these in common. */
export interface Packets {
  /** The interfaces that they come in and go out by. */
  readonly inBy: string;
  readonly outBy: string;
  /** '' for any. */
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** 0 for any. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Where clients have sent them, before a translation. */
  readonly publishedAt: string;
  readonly publishedPort: number;
  /** The first of a connection, or an answer to it. The destination of both was translated on this host. */
  readonly state: 'new' | 'established';
}

/** Which of them a condition is true of: `some` where that depends on what the question leaves open, or is not understood. */
export type Met = 'all' | 'some' | 'none';

export function both(...all: readonly Met[]): Met {
  if (all.includes('none')) return 'none';
  return all.includes('some') ? 'some' : 'all';
}

export function either(all: readonly Met[]): Met {
  if (all.includes('all')) return 'all';
  return all.includes('some') ? 'some' : 'none';
}

export function not(met: Met): Met {
  if (met === 'some') return met;
  return met === 'all' ? 'none' : 'all';
}

export function when(is: boolean): Met {
  return is ? 'all' : 'none';
}

/** Tells addresses, or '' for any, that are in `10.0.0.0/8`, or are `10.0.0.1`. */
export function addressesIn(block: string): (address: string) => Met {
  const wanted = parseCidr(block.includes('/') ? block : `${block}/32`)?.block;
  if (!wanted) return () => 'some';
  if (wanted.prefix === 0) return () => when(wanted.family === 4);
  return (address) => {
    const known = parseIp(address);
    return known ? when(holds(wanted, known)) : 'some';
  };
}

/** A port, or 0 for any, against a range. */
export function portIn(port: number, from: number, to: number): Met {
  if (from <= 0 && to >= 65_535) return 'all';
  if (port === 0 || Number.isNaN(from) || Number.isNaN(to)) return 'some';
  return when(port >= from && port <= to);
}

/** An interface's name against a pattern whose end may stand for anything. */
export function nameLike(name: string, pattern: string, wildcard: '+' | '*'): Met {
  if (pattern.endsWith(wildcard)) return when(name.startsWith(pattern.slice(0, -1)));
  return when(name === pattern);
}

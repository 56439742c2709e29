import type { SchedulerNode } from './node.ts';
import type { FilterRefusal, PreparedFilter, RefusalReason } from './types.ts';

/** How much of everything a message shows. */
const MAX_NAMES = 5;
const MAX_REASONS = 5;
const MAX_CONDITIONS = 20;

/**
 * What every filter refuses, each looked at alone: a user who meets one condition wants to know whether the
 * next one stands in the way too. A node is named under a filter once, with the first reason.
 */
export function collectRefusals<N extends { readonly name: string }>(
  nodes: readonly N[],
  filters: readonly PreparedFilter<N>[],
): FilterRefusal[] {
  const refusals: FilterRefusal[] = [];
  for (const [filter, parts] of byName(filters)) {
    const names = new Map<string, string[]>();
    for (const node of nodes) {
      const refusing = parts.find((part) => !part.check(node));
      if (!refusing) continue;
      const reason = refusing.explain(node);
      const known = names.get(reason);
      if (known) known.push(node.name);
      else names.set(reason, [node.name]);
    }
    if (names.size > 0) {
      refusals.push({ filter, reasons: [...names].map(([reason, refused]) => ({ reason, nodes: refused })) });
    }
  }
  return refusals;
}

function byName<N>(filters: readonly PreparedFilter<N>[]): Map<string, PreparedFilter<N>[]> {
  const groups = new Map<string, PreparedFilter<N>[]>();
  for (const filter of filters) {
    const group = groups.get(filter.name);
    if (group) group.push(filter);
    else groups.set(filter.name, [filter]);
  }
  return groups;
}

/** The first filter at which no node is left. */
export function failingFilter<N>(
  nodes: readonly N[],
  filters: readonly PreparedFilter<N>[],
): string | undefined {
  let left = nodes;
  for (const filter of filters) {
    left = left.filter((node) => filter.check(node));
    if (left.length === 0) return filter.name;
  }
  return undefined;
}

/** One line `[condition condition]` a filter, up to and with the failing one. */
export function conditionLines<N>(filters: readonly PreparedFilter<N>[], failing: string): string[] {
  const lines: string[] = [];
  for (const [name, parts] of byName(filters)) {
    const conditions = parts.flatMap((part) => part.conditions);
    if (conditions.length > 0) lines.push(`[${shorten(conditions, MAX_CONDITIONS, ' ')}]`);
    if (name === failing) break;
  }
  return lines;
}

/** One line a reason: `port: port 80/tcp in use: core-01, core-02`. */
export function refusalLines(refusals: readonly FilterRefusal[]): string[] {
  return refusals.flatMap(({ filter, reasons }) => {
    const shown = [...reasons].sort((a, b) => b.nodes.length - a.nodes.length);
    const rest = shown.splice(MAX_REASONS);
    const lines = shown.map(
      ({ reason, nodes }) => `${filter}: ${reason}: ${shorten(nodes, MAX_NAMES, ', ')}`,
    );
    if (rest.length > 0)
      lines.push(`${filter}: other reasons: ${shorten(rest.flatMap(namesOf), MAX_NAMES, ', ')}`);
    return lines;
  });
}

function namesOf({ nodes }: RefusalReason): readonly string[] {
  return nodes;
}

function shorten(items: readonly string[], limit: number, separator: string): string {
  const shown = items.slice(0, limit).join(separator);
  return items.length > limit ? `${shown} … and ${items.length - limit} more` : shown;
}

/** 'needs 2 CPUs, 0.5 of 4 free; needs 512 MiB memory, 100 MiB of 1 GiB free' */
export function lackText(node: SchedulerNode, nanoCpus: number, memoryBytes: number): string {
  const lacks: string[] = [];
  if (nanoCpus > 0 && node.usedNanoCpus + nanoCpus > node.totalNanoCpus) {
    const free = Math.max(0, node.totalNanoCpus - node.usedNanoCpus);
    lacks.push(`needs ${cpuText(nanoCpus)} CPUs, ${cpuText(free)} of ${cpuText(node.totalNanoCpus)} free`);
  }
  if (memoryBytes > 0 && node.usedMemoryBytes + memoryBytes > node.totalMemoryBytes) {
    const free = Math.max(0, node.totalMemoryBytes - node.usedMemoryBytes);
    lacks.push(
      `needs ${byteText(memoryBytes)} memory, ${byteText(free)} of ${byteText(node.totalMemoryBytes)} free`,
    );
  }
  return lacks.join('; ');
}

export function cpuText(nanoCpus: number): string {
  return String(Math.round(nanoCpus / 1e7) / 100);
}

export function byteText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let amount = bytes;
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit++;
  }
  return `${Math.round(amount * 100) / 100} ${units[unit]}`;
}

import type { Annotations, Driver, GenericResource, Meta, Platform } from '../../model/index.ts';
import { always, field, list, mapped, optional, struct, textMap } from './compound.ts';
import { int64, text } from './scalars.ts';
import type { Shape } from './shape.ts';

/** To be embedded. Labels are shown also where there are none. */
export const annotations: Shape<Annotations> = struct<Annotations>('Annotations', {
  name: field('Name', text),
  labels: always('Labels', textMap),
});

export const driver: Shape<Driver> = struct<Driver>('Driver', {
  name: field('Name', text),
  options: field('Options', textMap),
});

export const platform: Shape<Platform> = struct<Platform>('Platform', {
  architecture: field('Architecture', text),
  os: field('OS', text),
});

interface GenericJson {
  readonly named?: { readonly kind: string; readonly value: string };
  readonly discrete?: { readonly kind: string; readonly value: number };
}

const generic = struct<GenericJson>('GenericResource', {
  named: field(
    'NamedResourceSpec',
    optional(struct('NamedGenericResource', { kind: field('Kind', text), value: field('Value', text) })),
  ),
  discrete: field(
    'DiscreteResourceSpec',
    optional(struct('DiscreteGenericResource', { kind: field('Kind', text), value: field('Value', int64) })),
  ),
});

export const genericResources: Shape<readonly GenericResource[]> = mapped(
  list(generic),
  (items) => items.flatMap(({ discrete, named }) => discrete ?? named ?? []),
  (items) =>
    items.map(({ kind, value }) =>
      typeof value === 'number' ? { discrete: { kind, value } } : { named: { kind, value } },
    ),
);

/** The members that every object begins with, behind its id. */
export function metaJson({ version, createdAtMs, updatedAtMs }: Meta): Record<string, unknown> {
  return {
    Version: versionJson(version),
    CreatedAt: timeText(createdAtMs),
    UpdatedAt: timeText(updatedAtMs),
  };
}

export function versionJson(version: number): { Index?: number } {
  return version === 0 ? {} : { Index: version };
}

/** Go writes no year of five digits. */
const YEAR_9999_MS = Date.UTC(9999, 0, 1);

/** Go's RFC3339Nano: a fraction has no zeros at its end. Go's zero time where there is none. */
export function timeText(ms: number | undefined): string {
  if (ms === undefined || Math.abs(ms) > YEAR_9999_MS) return '0001-01-01T00:00:00Z';
  return new Date(ms).toISOString().replace(/\.?0*Z$/, 'Z');
}

import type { Annotations, Config, Driver, Secret } from '../../model/index.ts';
import { annotations, driver, metaJson } from './common.ts';
import { embedded, field, optional, struct } from './compound.ts';
import { bytes } from './scalars.ts';
import type { Shape } from './shape.ts';

/** A secret's or a config's spec as clients send it; data that was not sent is undefined. */
export interface DataSpecJson {
  readonly annotations: Annotations;
  readonly data?: Uint8Array;
  /** Of secrets only. */
  readonly driver?: Driver;
  readonly templating?: Driver;
}

const secretSpec = struct<DataSpecJson>('SecretSpec', {
  annotations: embedded(annotations),
  data: field('Data', bytes),
  driver: field('Driver', optional(driver)),
  templating: field('Templating', optional(driver)),
});

const configSpec: Shape<DataSpecJson> = struct<Omit<DataSpecJson, 'driver'>>('ConfigSpec', {
  annotations: embedded(annotations),
  data: field('Data', bytes),
  templating: field('Templating', optional(driver)),
});

export const dataSpecs = { secret: secretSpec, config: configSpec };

/** A secret's data never leaves by the API. */
export function secretJson({ id, meta, spec }: Secret): Record<string, unknown> {
  return { ID: id, ...metaJson(meta), Spec: secretSpec.write({ ...spec, data: undefined }) };
}

export function configJson({ id, meta, spec }: Config): Record<string, unknown> {
  return { ID: id, ...metaJson(meta), Spec: configSpec.write(spec) };
}

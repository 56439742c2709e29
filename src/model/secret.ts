import type { Annotations, Driver, Meta } from './common.ts';

interface DataSpec {
  readonly annotations: Annotations;
  /** Raw bytes; kept in a key of their own. */
  readonly data: Uint8Array;
  readonly templating?: Driver;
}

export interface SecretSpec extends DataSpec {
  readonly driver?: Driver;
}

export type ConfigSpec = DataSpec;

export interface Secret {
  readonly id: string;
  readonly meta: Meta;
  readonly spec: SecretSpec;
}

export interface Config {
  readonly id: string;
  readonly meta: Meta;
  readonly spec: ConfigSpec;
}

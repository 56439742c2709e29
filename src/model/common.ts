/** What the store knows of every object. */
export interface Meta {
  /** Of the store's last change of this object; what clients send back as `version=`. */
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export type Labels = Readonly<Record<string, string>>;

export interface Annotations {
  readonly name: string;
  readonly labels: Labels;
}

/** A driver of logs, networks, addresses or volumes. */
export interface Driver {
  readonly name: string;
  readonly options: Labels;
}

export interface Platform {
  readonly architecture: string;
  readonly os: string;
}

/** A resource that a user named: a thing (`value` text) or an amount (`value` number). */
export interface GenericResource {
  readonly kind: string;
  readonly value: string | number;
}

export interface Resources {
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  readonly generic: readonly GenericResource[];
  /** A limit only; 0 is none. */
  readonly pids?: number;
}

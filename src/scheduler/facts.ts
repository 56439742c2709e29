export type Protocol = 'tcp' | 'udp' | 'sctp';

/** A port of the host that a container holds or asks for. */
export interface PortUse {
  /** An address of the host; '', '0.0.0.0' and '::' (also in brackets) stand for every address. */
  readonly hostIp: string;
  /** 1 to 65535; 0 (the engine chooses) takes nothing. */
  readonly port: number;
  readonly protocol: Protocol;
}

/** What placement needs to know of one container. Never changed once given to a node: put a new one instead. */
export interface ContainerFacts {
  /** The engine's id, or any unique key for a placement under way. */
  readonly id: string;
  /** Without slash; '' while unknown. */
  readonly name: string;
  /** As asked for. */
  readonly image: string;
  /** 'sha256:…' or ''. */
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly PortUse[];
  /** Reserved; 1e9 is one core. */
  readonly nanoCpus: number;
  readonly memoryBytes: number;
}

/** An image on a node, in the engine's words: id 'sha256:…', tags 'repo:tag'. */
export interface ImageFacts {
  readonly id: string;
  readonly tags: readonly string[];
}

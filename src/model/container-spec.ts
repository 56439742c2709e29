import type { Driver, Labels } from './common.ts';

/** What an agent makes a container from. Names are the wire's; nearly all of it is only passed on. */
export interface ContainerSpec {
  readonly image: string;
  readonly labels: Labels;
  /** The entrypoint; `args` is the command. Docker's own names. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly hostname: string;
  readonly env: readonly string[];
  readonly dir: string;
  readonly user: string;
  readonly groups: readonly string[];
  readonly privileges?: Privileges;
  readonly init?: boolean;
  readonly tty: boolean;
  readonly openStdin: boolean;
  readonly readOnly: boolean;
  readonly stopSignal: string;
  readonly stopGracePeriodNs?: number;
  readonly mounts: readonly Mount[];
  readonly secrets: readonly FileReference[];
  readonly configs: readonly ConfigReference[];
  readonly hosts: readonly string[];
  readonly dns?: {
    readonly nameservers: readonly string[];
    readonly search: readonly string[];
    readonly options: readonly string[];
  };
  readonly healthcheck?: Healthcheck;
  readonly isolation: 'default' | 'process' | 'hyperv' | '';
  readonly sysctls: Labels;
  readonly capabilityAdd: readonly string[];
  readonly capabilityDrop: readonly string[];
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly oomScoreAdj: number;
  /** What the agent shows a registry, from `X-Registry-Auth`; never shown again. */
  readonly registryAuth: string;
}

export interface Privileges {
  readonly credentialSpec?: { readonly kind: 'file' | 'registry' | 'config'; readonly value: string };
  readonly selinux?: {
    readonly disable: boolean;
    readonly user: string;
    readonly role: string;
    readonly type: string;
    readonly level: string;
  };
  readonly seccomp?: {
    readonly mode: 'default' | 'unconfined' | 'custom';
    /** Base64. */
    readonly profile: string;
  };
  readonly apparmor?: { readonly mode: 'default' | 'disabled' };
  readonly noNewPrivileges: boolean;
}

export type MountType = 'bind' | 'volume' | 'tmpfs' | 'npipe' | 'cluster';

export interface Mount {
  readonly type: MountType;
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly consistency: '' | 'default' | 'consistent' | 'cached' | 'delegated';
  readonly bind?: {
    readonly propagation: '' | 'rprivate' | 'private' | 'rshared' | 'shared' | 'rslave' | 'slave';
    readonly nonRecursive: boolean;
    readonly createMountpoint: boolean;
    readonly readOnlyNonRecursive: boolean;
    readonly readOnlyForceRecursive: boolean;
  };
  readonly volume?: {
    readonly noCopy: boolean;
    readonly labels: Labels;
    readonly subpath: string;
    readonly driver?: Driver;
  };
  readonly tmpfs?: {
    readonly sizeBytes: number;
    readonly mode: number;
    /** JSON, as Docker's API has it: a list of lists. */
    readonly options: string;
  };
}

/** Where a secret or config appears in the container. */
interface FileTarget {
  readonly name: string;
  readonly uid: string;
  readonly gid: string;
  readonly mode: number;
}

export interface FileReference {
  readonly id: string;
  readonly name: string;
  readonly file: FileTarget;
}

/** A config is a file, or one that the runtime itself reads (a credential spec): then `file` is absent. */
export interface ConfigReference {
  readonly id: string;
  readonly name: string;
  readonly file?: FileTarget;
}

export interface Healthcheck {
  readonly test: readonly string[];
  readonly intervalNs?: number;
  readonly timeoutNs?: number;
  readonly retries: number;
  readonly startPeriodNs?: number;
  readonly startIntervalNs?: number;
}

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ContainerSpecSchema } from '../../proto/generated/swarmkit/specs_pb.js';
import type {
  ConfigReferenceSchema,
  HealthConfigSchema,
  MountSchema,
  PrivilegesSchema,
} from '../../proto/generated/swarmkit/types_pb.js';
import type { ConfigReference, ContainerSpec, Healthcheck, Mount, Privileges } from '../model/index.ts';
import { driver, duration, given, int32, int64, uint32 } from './to-wire-values.ts';
import { APPARMOR, CONSISTENCY, ISOLATION, MOUNT_TYPE, PROPAGATION, SECCOMP } from './wire-enums.ts';

/** `pidsLimit` stands among the limits of a task's spec, but in the container's on the wire. */
export function containerToWire(
  of: ContainerSpec,
  pidsLimit: number,
): MessageInitShape<typeof ContainerSpecSchema> {
  return {
    image: of.image,
    labels: { ...of.labels },
    command: [...of.command],
    args: [...of.args],
    hostname: of.hostname,
    env: [...of.env],
    dir: of.dir,
    user: of.user,
    groups: [...of.groups],
    ...given('privileges', of.privileges, privileges),
    ...given('init', of.init, (value) => value),
    tty: of.tty,
    openStdin: of.openStdin,
    readOnly: of.readOnly,
    stopSignal: of.stopSignal,
    ...given('stopGracePeriod', of.stopGracePeriodNs, duration),
    mounts: of.mounts.map(mount),
    secrets: of.secrets.map(({ id, name, file }) => ({
      secretId: id,
      secretName: name,
      target: { case: 'file' as const, value: fileTarget(file) },
    })),
    configs: of.configs.map(configReference),
    hosts: [...of.hosts],
    ...given('dnsConfig', of.dns, ({ nameservers, search, options }) => ({
      nameservers: [...nameservers],
      search: [...search],
      options: [...options],
    })),
    ...given('healthcheck', of.healthcheck, healthcheck),
    isolation: ISOLATION[of.isolation],
    pidsLimit: int64(pidsLimit),
    sysctls: { ...of.sysctls },
    capabilityAdd: [...of.capabilityAdd],
    capabilityDrop: [...of.capabilityDrop],
    ulimits: of.ulimits.map(({ name, soft, hard }) => ({ name, soft: int64(soft), hard: int64(hard) })),
    oomScoreAdj: int64(of.oomScoreAdj),
    ...(of.registryAuth === '' ? {} : { pullOptions: { registryAuth: of.registryAuth } }),
  };
}

function fileTarget({ name, uid, gid, mode }: { name: string; uid: string; gid: string; mode: number }): {
  name: string;
  uid: string;
  gid: string;
  mode: number;
} {
  return { name, uid, gid, mode: uint32(mode) };
}

function configReference({
  id,
  name,
  file,
}: ConfigReference): MessageInitShape<typeof ConfigReferenceSchema> {
  return {
    configId: id,
    configName: name,
    target: file ? { case: 'file', value: fileTarget(file) } : { case: 'runtime', value: {} },
  };
}

function mount(of: Mount): MessageInitShape<typeof MountSchema> {
  return {
    type: MOUNT_TYPE[of.type],
    source: of.source,
    target: of.target,
    readonly: of.readOnly,
    consistency: CONSISTENCY[of.consistency],
    ...given('bindOptions', of.bind, (bind) => ({
      propagation: PROPAGATION[bind.propagation],
      nonrecursive: bind.nonRecursive,
      createmountpoint: bind.createMountpoint,
      readonlynonrecursive: bind.readOnlyNonRecursive,
      readonlyforcerecursive: bind.readOnlyForceRecursive,
    })),
    ...given('volumeOptions', of.volume, (volume) => ({
      nocopy: volume.noCopy,
      labels: { ...volume.labels },
      subpath: volume.subpath,
      ...given('driverConfig', volume.driver, driver),
    })),
    ...given('tmpfsOptions', of.tmpfs, ({ sizeBytes, mode, options }) => ({
      sizeBytes: int64(sizeBytes),
      mode: uint32(mode),
      options,
    })),
  };
}

function healthcheck(of: Healthcheck): MessageInitShape<typeof HealthConfigSchema> {
  return {
    test: [...of.test],
    ...given('interval', of.intervalNs, duration),
    ...given('timeout', of.timeoutNs, duration),
    retries: int32(of.retries),
    ...given('startPeriod', of.startPeriodNs, duration),
    ...given('startInterval', of.startIntervalNs, duration),
  };
}

function privileges(of: Privileges): MessageInitShape<typeof PrivilegesSchema> {
  return {
    ...given('credentialSpec', of.credentialSpec, ({ kind, value }) => ({ source: { case: kind, value } })),
    ...given('selinuxContext', of.selinux, ({ disable, user, role, type, level }) => ({
      disable,
      user,
      role,
      type,
      level,
    })),
    ...given('seccomp', of.seccomp, ({ mode, profile }) => ({
      mode: SECCOMP[mode],
      profile: new Uint8Array(Buffer.from(profile, 'base64')),
    })),
    ...given('apparmor', of.apparmor, ({ mode }) => ({ mode: APPARMOR[mode] })),
    noNewPrivileges: of.noNewPrivileges,
  };
}

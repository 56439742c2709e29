import type { ContainerSpec, Healthcheck } from '../../model/index.ts';
import { always, field, list, optional, struct, textMap, texts } from './compound.ts';
import { mounts } from './mounts.ts';
import { privileges } from './privileges.ts';
import { configReferences, secretReferences } from './references.ts';
import { choice, duration, flag, int32, int64, text, unlessZero } from './scalars.ts';
import type { Shape } from './shape.ts';

const healthcheck = struct<Healthcheck>('container.HealthConfig', {
  test: field('Test', texts),
  intervalNs: field('Interval', unlessZero(duration)),
  timeoutNs: field('Timeout', unlessZero(duration)),
  startPeriodNs: field('StartPeriod', unlessZero(duration)),
  startIntervalNs: field('StartInterval', unlessZero(duration)),
  retries: field('Retries', int32),
});

const dns = struct<NonNullable<ContainerSpec['dns']>>('DNSConfig', {
  nameservers: field('Nameservers', texts),
  search: field('Search', texts),
  options: field('Options', texts),
});

const ulimit = struct<ContainerSpec['ulimits'][number]>('units.Ulimit', {
  name: always('Name', text),
  hard: always('Hard', int64),
  soft: always('Soft', int64),
});

/** What is not on the wire to clients: credentials come by a header of their own. */
const hidden: Shape<string> = { ...text, read: () => '', isZero: () => true };

export const containerSpec: Shape<ContainerSpec> = struct<ContainerSpec>('ContainerSpec', {
  image: field('Image', text),
  labels: field('Labels', textMap),
  command: field('Command', texts),
  args: field('Args', texts),
  hostname: field('Hostname', text),
  env: field('Env', texts),
  dir: field('Dir', text),
  user: field('User', text),
  groups: field('Groups', texts),
  privileges: field('Privileges', optional(privileges)),
  init: field('Init', optional(flag)),
  stopSignal: field('StopSignal', text),
  tty: field('TTY', flag),
  openStdin: field('OpenStdin', flag),
  readOnly: field('ReadOnly', flag),
  mounts: field('Mounts', mounts),
  stopGracePeriodNs: field('StopGracePeriod', optional(duration)),
  healthcheck: field('Healthcheck', optional(healthcheck)),
  hosts: field('Hosts', texts),
  dns: field('DNSConfig', optional(dns)),
  secrets: field('Secrets', secretReferences),
  configs: field('Configs', configReferences),
  isolation: always(
    'Isolation',
    choice(
      'container.Isolation',
      ['default', 'process', 'hyperv'],
      (word) => `invalid isolation: "${word}"`,
    ) as Shape<ContainerSpec['isolation']>,
  ),
  sysctls: field('Sysctls', textMap),
  capabilityAdd: field('CapabilityAdd', texts),
  capabilityDrop: field('CapabilityDrop', texts),
  ulimits: field('Ulimits', list(ulimit)),
  oomScoreAdj: field('OomScoreAdj', int64),
  registryAuth: field('', hidden),
});

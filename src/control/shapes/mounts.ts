import { SwarmError } from '../../base/errors.ts';
import { isObject } from '../../base/json.ts';
import type { Mount } from '../../model/index.ts';
import { driver } from './common.ts';
import { always, field, list, mapped, optional, struct, textMap } from './compound.ts';
import { choice, fileMode, flag, int64, text } from './scalars.ts';
import { mismatch, type Place, type Shape } from './shape.ts';

type BindOptions = NonNullable<Mount['bind']>;
type TmpfsOptions = NonNullable<Mount['tmpfs']>;

const plainBind = struct<BindOptions>('mount.BindOptions', {
  propagation: field(
    'Propagation',
    choice(
      'mount.Propagation',
      ['rprivate', 'private', 'rshared', 'shared', 'rslave', 'slave'],
      (word) => `invalid MountPropagation: "${word}"`,
    ) as Shape<BindOptions['propagation']>,
  ),
  nonRecursive: field('NonRecursive', flag),
  createMountpoint: field('CreateMountpoint', flag),
  readOnlyNonRecursive: field('ReadOnlyNonRecursive', flag),
  readOnlyForceRecursive: field('ReadOnlyForceRecursive', flag),
});

/** Options that say nothing are none, as dockerd keeps them. */
const bind: Shape<BindOptions | undefined> = {
  ...optional(plainBind),
  read(value, at) {
    const saysNothing = isObject(value) && Object.values(value).every((one) => !one);
    return saysNothing ? undefined : plainBind.read(value, at);
  },
};

const volume = struct<NonNullable<Mount['volume']>>('mount.VolumeOptions', {
  noCopy: field('NoCopy', flag),
  labels: field('Labels', textMap),
  subpath: field('Subpath', text),
  driver: field('DriverConfig', optional(driver)),
});

/** Options of tmpfs are a list of lists; the model keeps them as the JSON that they came as. */
const tmpfsOptions: Shape<string> = {
  type: '[][]string',
  zero: '',
  read: (value, at) => JSON.stringify(optionPairs(value, at)),
  write: (value) => JSON.parse(value) as unknown,
  isZero: (value) => value === '' || value === '[]',
};

function optionPairs(value: unknown, at: Place): string[][] {
  if (!Array.isArray(value)) throw mismatch(value, '[][]string', at);
  return value.map((pair: unknown) => {
    if (!Array.isArray(pair)) throw mismatch(pair, '[]string', at);
    return pair.map((one: unknown) => text.read(one, at));
  });
}

const tmpfs = struct<TmpfsOptions>('mount.TmpfsOptions', {
  sizeBytes: field('SizeBytes', int64),
  mode: field('Mode', fileMode),
  options: field('Options', tmpfsOptions),
});

const mount = struct<Mount>('mount.Mount', {
  type: always(
    'Type',
    choice(
      'mount.Type',
      ['bind', 'volume', 'tmpfs', 'npipe', 'cluster'],
      (word) => `invalid MountType: "${word}"`,
    ),
  ),
  source: field('Source', text),
  target: field('Target', text),
  readOnly: field('ReadOnly', flag),
  consistency: field(
    'Consistency',
    mapped<string, Mount['consistency']>(text, readConsistency, (word) => word),
  ),
  bind: field('BindOptions', bind),
  volume: field('VolumeOptions', optional(volume)),
  tmpfs: field('TmpfsOptions', optional(tmpfs)),
});

export const mounts = list(mount);

function readConsistency(word: string): Mount['consistency'] {
  switch (word) {
    case '':
    case 'default':
    case 'consistent':
    case 'cached':
    case 'delegated':
      return word;
    default:
      throw new SwarmError('invalid', `invalid mount consistency: "${word}"`);
  }
}

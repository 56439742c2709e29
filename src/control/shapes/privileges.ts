import { SwarmError } from '../../base/errors.ts';
import type { Privileges } from '../../model/index.ts';
import { always, field, mapped, optional, struct } from './compound.ts';
import { bytes, choice, flag, text } from './scalars.ts';
import type { Shape } from './shape.ts';

type CredentialSpec = NonNullable<Privileges['credentialSpec']>;
type Seccomp = NonNullable<Privileges['seccomp']>;

const KINDS = ['config', 'file', 'registry'] as const;

const credentialSpec: Shape<CredentialSpec> = mapped(
  struct<Record<CredentialSpec['kind'], string>>('CredentialSpec', {
    config: always('Config', text),
    file: always('File', text),
    registry: always('Registry', text),
  }),
  readCredentialSpec,
  ({ kind, value }) => ({ config: '', file: '', registry: '', [kind]: value }),
);

function readCredentialSpec(given: Record<CredentialSpec['kind'], string>): CredentialSpec {
  const [kind, ...others] = KINDS.filter((one) => given[one] !== '');
  if (kind === undefined) {
    throw refused('must either provide "file", "registry", or "config" for credential spec');
  }
  const last = others.pop();
  if (last === undefined) return { kind, value: given[kind] };
  const before = [kind, ...others].map((one) => `"${one}"`).join(', ');
  throw refused(
    `cannot specify both ${before}${others.length > 0 ? ',' : ''} and "${last}" credential specs`,
  );
}

function refused(why: string): SwarmError {
  return new SwarmError('invalid', `invalid CredentialSpec: ${why}`);
}

const selinux = struct<NonNullable<Privileges['selinux']>>('SELinuxContext', {
  disable: always('Disable', flag),
  user: always('User', text),
  role: always('Role', text),
  type: always('Type', text),
  level: always('Level', text),
});

const seccomp: Shape<Seccomp> = mapped(
  struct<{ readonly mode: Seccomp['mode']; readonly profile?: Uint8Array }>('SeccompOpts', {
    mode: field(
      'Mode',
      choice(
        'swarm.SeccompMode',
        ['default', 'unconfined', 'custom'],
        (word) => `invalid Privileges: invalid seccomp mode: "${word}"`,
      ),
    ),
    profile: field('Profile', bytes),
  }),
  ({ mode, profile }) => ({ mode, profile: Buffer.from(profile ?? []).toString('base64') }),
  ({ mode, profile }) => ({ mode, profile: Buffer.from(profile, 'base64') }),
);

const apparmor = struct<NonNullable<Privileges['apparmor']>>('AppArmorOpts', {
  mode: field(
    'Mode',
    choice(
      'swarm.AppArmorMode',
      ['default', 'disabled'],
      (word) => `invalid Privileges: invalid AppArmor mode: "${word}"`,
    ),
  ),
});

export const privileges = struct<Privileges>('Privileges', {
  credentialSpec: always('CredentialSpec', optional(credentialSpec)),
  selinux: always('SELinuxContext', optional(selinux)),
  seccomp: field('Seccomp', optional(seccomp)),
  apparmor: field('AppArmor', optional(apparmor)),
  noNewPrivileges: always('NoNewPrivileges', flag),
});

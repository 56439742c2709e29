import type { ContainerSpec, TaskSpec } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import { rpcError } from '../rpc-error.ts';

interface Reference {
  readonly id: string;
  readonly name: string;
  readonly file?: { readonly name: string };
}

type DataKind = 'secret' | 'config';

/** Throws `invalid` for references that contradict each other, or miss what they need. */
export function checkReferences({ secrets, configs, privileges }: ContainerSpec): void {
  checkTargets('secret', secrets);
  checkTargets('config', configs);
  const credentials = privileges?.credentialSpec;
  if (credentials?.kind !== 'config') return;
  if (!configs.some(({ id, file }) => !file && id === credentials.value)) {
    throw rpcError(
      'InvalidArgument',
      `CredentialSpec references config '${credentials.value}', but that config isn't in config references with RuntimeTarget`,
    );
  }
}

function checkTargets(kind: DataKind, references: readonly Reference[]): void {
  const targets = new Map<string, string>();
  for (const { id, name, file } of references) {
    if (id === '' || name === '') throw rpcError('InvalidArgument', `malformed ${kind} reference`);
    if (!file) continue;
    if (file.name === '') {
      throw rpcError(
        'InvalidArgument',
        `malformed file ${kind} reference, invalid target file name provided`,
      );
    }
    const other = targets.get(file.name);
    if (other !== undefined) {
      const both = `${kind} references '${other}' and '${name}'`;
      throw rpcError('InvalidArgument', `${both} have a conflicting target: '${file.name}'`);
    }
    targets.set(file.name, name);
  }
}

/** Throws when a secret, config (`invalid`) or network (`not-found`) is not there any more, or not by that name. */
export function checkExistence(view: Pick<View, 'get'>, { container, networks }: TaskSpec): void {
  for (const { target } of networks) {
    if (!view.get('network', target)) throw rpcError('NotFound', `network ${target} not found`);
  }
  if (!container) return;
  checkAllExist(view, 'secret', container.secrets);
  checkAllExist(view, 'config', container.configs);
}

function checkAllExist(view: Pick<View, 'get'>, kind: DataKind, references: readonly Reference[]): void {
  const missing = references.filter(({ id, name }) => view.get(kind, id)?.spec.annotations.name !== name);
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name).join(', ');
  throw rpcError('InvalidArgument', `${kind}${missing.length === 1 ? '' : 's'} not found: ${names}`);
}

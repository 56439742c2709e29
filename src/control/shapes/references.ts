import { SwarmError } from '../../base/errors.ts';
import type { ConfigReference, FileReference } from '../../model/index.ts';
import { rpcError } from '../rpc-error.ts';
import { always, field, list, mapped, optional, struct } from './compound.ts';
import { fileMode, text } from './scalars.ts';
import type { Shape } from './shape.ts';

type FileTarget = FileReference['file'];

const fileTarget = (type: string): Shape<FileTarget> =>
  struct<FileTarget>(type, {
    name: always('Name', text),
    uid: always('UID', text),
    gid: always('GID', text),
    mode: always('Mode', fileMode),
  });

interface SecretJson {
  readonly file?: FileTarget;
  readonly id: string;
  readonly name: string;
}

export const secretReferences: Shape<readonly FileReference[]> = list(
  mapped(
    struct<SecretJson>('SecretReference', {
      file: always('File', optional(fileTarget('SecretReferenceFileTarget'))),
      id: always('SecretID', text),
      name: always('SecretName', text),
    }),
    ({ id, name, file }): FileReference => {
      if (id === '' || name === '') throw rpcError('InvalidArgument', 'malformed secret reference');
      if (!file) {
        throw rpcError('InvalidArgument', 'malformed secret reference, no target provided');
      }
      return { id, name, file };
    },
    (reference) => reference,
  ),
);

interface ConfigJson extends SecretJson {
  readonly runtime?: object;
}

export const configReferences: Shape<readonly ConfigReference[]> = list(
  mapped(
    struct<ConfigJson>('ConfigReference', {
      file: field('File', optional(fileTarget('ConfigReferenceFileTarget'))),
      runtime: field('Runtime', optional(struct('ConfigReferenceRuntimeTarget', {}))),
      id: always('ConfigID', text),
      name: always('ConfigName', text),
    }),
    ({ id, name, file, runtime }): ConfigReference => {
      if (file && runtime) {
        throw new SwarmError('invalid', 'invalid Config: cannot specify both File and Runtime');
      }
      if (!file && !runtime) {
        throw new SwarmError('invalid', 'invalid Config: either File or Runtime should be set');
      }
      return { id, name, ...(file ? { file } : {}) };
    },
    ({ id, name, file }) => ({ id, name, ...(file ? { file } : { runtime: {} }) }),
  ),
);

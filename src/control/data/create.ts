import { newId } from '../../base/ids.ts';
import { SwarmError } from '../../base/errors.ts';
import { readJson, versionText } from '../../docker-api/index.ts';
import type { SecretSpec } from '../../model/index.ts';
import type { Handler } from '../context.ts';
import { rpcError } from '../rpc-error.ts';
import { dataSpecs, type DataSpecJson } from '../shapes/data.ts';
import { readBodyAs } from '../shapes/shape.ts';
import { checkDataName } from '../validate/names.ts';

export type DataKind = 'secret' | 'config';

/** Data must stay below. */
const LIMIT_BYTES: Readonly<Record<DataKind, number>> = { secret: 500 * 1024, config: 1000 * 1024 };
const TEMPLATES_FROM_MINOR = 37;

/** `POST /secrets/create`, `POST /configs/create` */
export function createData(kind: DataKind): Handler {
  return async (call, { store }) => {
    const given = readBodyAs(dataSpecs[kind], await readJson(call.req));
    if (given.templating && call.minor < TEMPLATES_FROM_MINOR) {
      throw new SwarmError(
        'invalid',
        `${kind} templating is not supported on the specified API version: ${versionText(call.minor)}`,
      );
    }
    const spec = checked(kind, given);
    const { name } = spec.annotations;
    const id = await store.update((tx) => {
      if (tx.byName(kind, name)) throw rpcError('AlreadyExists', `${kind} ${name} already exists`);
      return tx.create(kind, { id: newId(), spec }).id;
    });
    call.json(201, { ID: id });
  };
}

function checked(kind: DataKind, { annotations, data, driver, templating }: DataSpecJson): SecretSpec {
  checkDataName(annotations);
  if (driver) throw noDriver(driver.name);
  const limit = LIMIT_BYTES[kind];
  if (!data || data.length === 0 || data.length >= limit) {
    const rule = `${kind} data must be larger than 0 and less than ${limit} bytes`;
    throw rpcError('InvalidArgument', rule);
  }
  return { annotations, data, ...(templating ? { templating } : {}) };
}

/** A driver is a plugin of the manager's engine, which nobody here could ask. */
function noDriver(name: string): SwarmError {
  if (name === '') return rpcError('InvalidArgument', 'secret driver must have a name');
  return new SwarmError('unsupported', `secret driver "${name}": drivers of secrets are not supported`);
}

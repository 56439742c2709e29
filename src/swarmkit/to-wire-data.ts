import { create } from '@bufbuild/protobuf';
import {
  ConfigSchema,
  SecretSchema,
  type Config as WireConfig,
  type Secret as WireSecret,
} from '../../proto/generated/swarmkit/objects_pb.js';
import type { Config, Secret } from '../model/index.ts';
import { metaToWire } from './to-wire-task.ts';
import { annotations, driver, given } from './to-wire-values.ts';

const secrets = new WeakMap<Secret, WireSecret>();
const configs = new WeakMap<Config, WireConfig>();

/** Templated ones go as they are: the agent fills them in. */
export function secretToWire(secret: Secret): WireSecret {
  let made = secrets.get(secret);
  if (!made) secrets.set(secret, (made = create(SecretSchema, dataObject(secret))));
  return made;
}

export function configToWire(config: Config): WireConfig {
  let made = configs.get(config);
  if (!made) configs.set(config, (made = create(ConfigSchema, dataObject(config))));
  return made;
}

function dataObject({ id, meta, spec }: Secret | Config) {
  return {
    id,
    meta: metaToWire(meta),
    spec: {
      annotations: annotations(spec.annotations),
      data: spec.data,
      ...given('templating', spec.templating, driver),
    },
  };
}

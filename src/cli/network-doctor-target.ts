import { homedir } from 'node:os';
import { join } from 'node:path';
import { SwarmError } from '../base/errors.ts';
import type { FlagValues } from '../base/flags.ts';
import { tlsFiles, type TlsFiles } from '../certs/index.ts';
import { parseEngineAddress, type EngineAddress } from '../engine/index.ts';

/** Where swarmd listens unless it is told. */
const DEFAULT_TARGET = 'unix:///run/swarmd.sock';

/** The swarmd that is asked. */
export interface DoctorTarget {
  readonly address: EngineAddress;
  readonly tls?: TlsFiles;
}

/**
 * Reads `--host` and the `--tls…` options, with docker's variables in their place where they are not given. Throws `invalid`,
 * and `unavailable` where a TLS file can't be read.
 */
export function doctorTarget(values: FlagValues, env: NodeJS.ProcessEnv): DoctorTarget {
  const text = values.text('host') || DEFAULT_TARGET;
  const address = addressOf(text);
  const tls = tlsFiles(address.kind === 'tcp' ? withDockerVariables(values, env) : values);
  return { address, ...(tls ? { tls } : {}) };
}

function addressOf(text: string): EngineAddress {
  const scheme = /^([a-z]+):\/\//.exec(text)?.[1] ?? 'tcp';
  if (scheme !== 'unix' && scheme !== 'tcp')
    throw new SwarmError('invalid', `invalid --host "${text}": expected unix:///path or tcp://host:port`);
  try {
    return parseEngineAddress(text);
  } catch (error) {
    const why =
      error instanceof SwarmError ? error.message.replace(/^invalid engine address "[^]*": /, '') : '';
    throw new SwarmError('invalid', `invalid --host "${text}": ${why}`);
  }
}

/** As the docker CLI has it: DOCKER_TLS_VERIFY turns TLS on, DOCKER_CERT_PATH is the folder of the files. */
function withDockerVariables(values: FlagValues, env: NodeJS.ProcessEnv): FlagValues {
  const verify = Boolean(env['DOCKER_TLS_VERIFY']) && !values.isSet('tls') && !values.isSet('tlsverify');
  const given = env['DOCKER_CERT_PATH'];
  const on = verify || values.bool('tls') || values.bool('tlsverify');
  if (!on || (!given && !verify)) return values;
  const folder = given || join(homedir(), '.docker');
  const files: ReadonlyMap<string, string> = new Map([
    ['tlscacert', 'ca.pem'],
    ['tlscert', 'cert.pem'],
    ['tlskey', 'key.pem'],
  ]);
  return {
    ...values,
    bool: (name) => (name === 'tlsverify' && verify) || values.bool(name),
    text: (name) => {
      const file = files.get(name);
      return values.text(name) || (file === undefined ? '' : join(folder, file));
    },
  };
}

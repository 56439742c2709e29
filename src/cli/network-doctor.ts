import { asObject, asString } from '../base/json.ts';
import { SwarmError } from '../base/errors.ts';
import { EXIT_FAILED, EXIT_OK } from '../base/exit-code.ts';
import type { FlagValues } from '../base/flags.ts';
import { wireWords } from '../base/wire-words.ts';
import { EngineClient, type EngineAnswer } from '../engine/index.ts';
import { readAnswer, type DoctorAnswer } from './network-doctor-answer.ts';
import { doctorPage } from './network-doctor-page.ts';
import { doctorTarget, type DoctorTarget } from './network-doctor-target.ts';

/** It asks all nodes, each within seconds, some at a time. */
const ANSWER_MS = 60_000;
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * What `swarm network doctor` prints, and its exit code: 1 when there is a fault. Throws `invalid` for wrong input, and the
 * words of swarmd, or why it doesn't answer, otherwise.
 */
export async function examineNetwork(
  values: FlagValues,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly text: string; readonly code: number }> {
  const [service = ''] = args;
  if (args.length > 1)
    throw new SwarmError('invalid', "one service at a time. See 'swarm network doctor --help'.");
  const format = values.text('format');
  if (format !== '' && format !== 'json')
    throw new SwarmError('invalid', `invalid --format ${JSON.stringify(format)}: json is the only one`);
  const value = await ask(doctorTarget(values, env), service, values.text('node'));
  const answer = readAnswer(value);
  return {
    text: format === 'json' ? `${JSON.stringify(value, undefined, 2)}\n` : doctorPage(answer),
    code: hasFault(answer) ? EXIT_FAILED : EXIT_OK,
  };
}

function hasFault({ findings, nodes }: DoctorAnswer): boolean {
  const all = [findings, ...nodes.map((node) => node.findings)];
  return all.some((some) => some.some(({ verdict }) => verdict === 'fault'));
}

async function ask({ address, tls }: DoctorTarget, service: string, node: string): Promise<unknown> {
  const query = new URLSearchParams({
    ...(service === '' ? {} : { service }),
    ...(node === '' ? {} : { node }),
  });
  const client = new EngineClient(address, tls);
  const where = address.kind === 'unix' ? address.text : `tcp://${address.text}`;
  let answer;
  try {
    answer = await client.call(`/swarm/network-doctor?${query.toString()}`, {
      timeoutMs: ANSWER_MS,
      maxBytes: MOST_BYTES,
    });
  } catch (error) {
    const why =
      error instanceof SwarmError && error.code === 'timeout'
        ? 'no answer'
        : wireWords(error instanceof SwarmError ? (error.cause ?? error) : error);
    throw new SwarmError(
      'unavailable',
      `swarmd does not answer at ${where}: ${why}; --host or DOCKER_HOST says where it listens`,
      { cause: error },
    );
  } finally {
    await client.close();
  }
  const { status } = answer;
  const value = parsed(answer);
  if (status === 200 && value !== undefined) return value;
  const message = asString(asObject(value)['message']);
  if (status === 404 && (message === '' || message === 'page not found'))
    throw new SwarmError(
      'unsupported',
      `what answers at ${where} is no swarmd: --host or DOCKER_HOST says where that listens`,
    );
  throw new SwarmError('unavailable', message || `swarmd at ${where} answered with status ${status}`);
}

function parsed({ body }: EngineAnswer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

import { messageOf, SwarmError } from '../../base/errors.ts';
import { queryFlag, type ApiCall } from '../../docker-api/index.ts';
import type { LogOptions, LogSelector } from '../../dispatcher/index.ts';
import type { ContainerSpec } from '../../model/index.ts';
import type { ControlContext, Handler } from '../context.ts';
import { findOne } from '../find.ts';
import { LineFormat } from './line-format.ts';
import { parseSince, parseTail } from './options.ts';
import { writeAll } from '../write-all.ts';

/** From here on the content type tells frames from raw bytes. */
const FRAMES_NAMED_FROM_MINOR = 42;

/** The leader collects logs. Those that are followed go on when it is lost, so the manager that was asked asks it for them. */
export function whoHasLogs({ query }: ApiCall): 'asked' | 'leader' {
  return queryFlag(query, 'follow') ? 'asked' : 'leader';
}

/** `GET /services/{id}/logs` */
export const serviceLogs: Handler = async (call, context) => {
  const options = readOptions(call);
  const { id, spec } = findOne(context.store.view, 'service', call.param('id'));
  await sendLogs(call, context, { selector: { serviceIds: [id] }, options, container: spec.task.container });
};

/** `GET /tasks/{id}/logs` */
export const taskLogs: Handler = async (call, context) => {
  const options = readOptions(call);
  const { id, spec } = findOne(context.store.view, 'task', call.param('id'));
  await sendLogs(call, context, { selector: { taskIds: [id] }, options, container: spec.container });
};

function readOptions({ query }: ApiCall): LogOptions {
  const streams = (['stdout', 'stderr'] as const).filter((name) => queryFlag(query, name));
  if (streams.length === 0) {
    throw new SwarmError('invalid', 'Bad parameters: you must choose at least one stream');
  }
  return {
    streams,
    follow: queryFlag(query, 'follow'),
    ...parseTail(query.get('tail') ?? ''),
    ...parseSince(query.get('since') ?? ''),
  };
}

interface Wanted {
  readonly selector: LogSelector;
  readonly options: LogOptions;
  readonly container: ContainerSpec | undefined;
}

/** Sends lines as they come. What goes wrong once they flow is told within the stream, as Docker does. */
async function sendLogs(call: ApiCall, { logs }: ControlContext, wanted: Wanted): Promise<void> {
  const { selector, options, container } = wanted;
  if (!container) throw new SwarmError('invalid', 'logs only supported on container tasks');
  const format = new LineFormat({
    framed: !container.tty,
    details: queryFlag(call.query, 'details'),
    timestamps: queryFlag(call.query, 'timestamps'),
  });
  const framed = !container.tty && call.minor >= FRAMES_NAMED_FROM_MINOR;
  const { res, signal } = call;
  res.writeHead(200, {
    'content-type': `application/vnd.docker.${framed ? 'multiplexed' : 'raw'}-stream`,
  });
  res.flushHeaders();
  try {
    for await (const line of logs.subscribe(selector, options, signal)) {
      if (!(await writeAll(res, format.line(line), signal))) return;
    }
  } catch (error) {
    if (signal.aborted) return;
    await writeAll(res, format.trouble(messageOf(error)), signal);
  }
  res.end();
}

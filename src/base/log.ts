import { pino, type Logger } from 'pino';
import { messageOf } from './errors.ts';

export type { Logger };

/** The names `--log-level` knows; `panic` counts as `fatal`. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal', 'panic'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Where lines go: standard output, or a test's list. */
export interface LineSink {
  write(text: string): unknown;
}

/** The words log shippers of the classic swarm know; its library wrote "warning". */
const SHOWN_LEVEL: Readonly<Record<string, string>> = { warn: 'warning', trace: 'debug' };

/**
 * The root logger: text lines `time="…" level=info msg="…" key=value`. Never throws, not even when nobody reads the
 * output any more.
 */
export function createLog(level: LogLevel, sink: LineSink = quietly(process.stdout)): Logger {
  const options = {
    level: level === 'panic' ? 'fatal' : level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString().slice(0, 19)}Z"`,
    formatters: { level: (label: string) => ({ level: SHOWN_LEVEL[label] ?? label }) },
    serializers: {
      err: messageOf,
      error: (value: unknown) => (value instanceof Error ? value.message : value),
    },
    redact: { paths: ['password', 'token', 'secret', 'authorization'], censor: '(hidden)' },
  };
  return pino(options, { write: (json: string) => void sink.write(textLine(json)) });
}

/** The logger of one component; its lines carry the component's name. */
export function childLog(log: Logger, component: string): Logger {
  return log.child({ component });
}

/** A sink that forgets what cannot be written: a reader that went away (EPIPE) must not end a manager. */
export function quietly(stream: NodeJS.WriteStream): LineSink {
  if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore);
  return stream;
}

function ignore(): void {}

function textLine(json: string): string {
  const { time, level, msg, component, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const pairs = Object.entries({ time, level, msg: msg ?? '', ...fields, component }).filter(
    ([, value]) => value !== undefined,
  );
  return `${pairs.map(([name, value]) => `${name}=${shown(value)}`).join(' ')}\n`;
}

/** Plain words stay bare; all else is quoted, so that a value can never look like another field or line. */
function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return /^[A-Za-z0-9.-]+$/.test(text) ? text : JSON.stringify(text);
}

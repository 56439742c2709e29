import type { LogLine } from '../../dispatcher/index.ts';

/** Docker's numbers of the streams within a stream. */
const STREAMS = { stdout: 1, stderr: 2, trouble: 3 } as const;
const HEADER_BYTES = 8;

const CONTEXT = 'com.docker.swarm';

interface LineOptions {
  /** Each line in a frame that names its stream; without a terminal only. */
  readonly framed: boolean;
  /** The context of each line before it, which the docker CLI makes its prefixes from. */
  readonly details: boolean;
  readonly timestamps: boolean;
}

/** Writes lines as dockerd does for `docker service logs`. */
export class LineFormat {
  readonly #options: LineOptions;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  line(line: LogLine): Buffer {
    const { details, timestamps } = this.#options;
    const before =
      (timestamps ? `${nanoTime(line.timestampNs)} ` : '') + (details ? `${context(line)} ` : '');
    return this.#frame(STREAMS[line.stream], [Buffer.from(before), line.data]);
  }

  /** What went wrong, for the client to show. */
  trouble(words: string): Buffer {
    const text = `Error grabbing logs: rpc error: code = Unknown desc = ${words}\n`;
    return this.#frame(STREAMS.trouble, [Buffer.from(text)]);
  }

  #frame(stream: number, parts: readonly Uint8Array[]): Buffer {
    if (!this.#options.framed) return Buffer.concat(parts);
    const header = Buffer.alloc(HEADER_BYTES);
    header[0] = stream;
    header.writeUInt32BE(
      parts.reduce((sum, part) => sum + part.length, 0),
      4,
    );
    return Buffer.concat([header, ...parts]);
  }
}

/** The attributes of a line, sorted, with those that the swarm itself knows over all others of their names. */
function context({ attrs, nodeId, serviceId, taskId }: LogLine): string {
  const own = [
    { key: `${CONTEXT}.node.id`, value: nodeId },
    { key: `${CONTEXT}.service.id`, value: serviceId },
    { key: `${CONTEXT}.task.id`, value: taskId },
  ];
  const others = attrs.filter(({ key }) => own.every((one) => one.key !== key));
  return [...others, ...own]
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ key, value }) => `${queryEscape(key)}=${queryEscape(value)}`)
    .join(',');
}

/** Go's `url.QueryEscape`. */
function queryEscape(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

const NS_PER_SECOND = 1_000_000_000n;

/** RFC 3339 with all nine digits of the fraction. */
function nanoTime(timestampNs: bigint): string {
  const nanos = ((timestampNs % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  const ms = Number((timestampNs - nanos) / 1_000_000n);
  const date = new Date(Math.abs(ms) > MAX_MS ? 0 : ms).toISOString();
  return `${date.slice(0, 'yyyy-mm-ddThh:mm:ss'.length)}.${String(nanos).padStart(9, '0')}Z`;
}

/** The end of the year 9999. */
const MAX_MS = Date.UTC(10_000, 0, 1) - 1;

import type { Readable } from 'node:stream';
import { asString, type Json } from '../../base/json.ts';
import { Broadcast, type Branch } from '../../engine/index.ts';
import { ProgressStream, type ApiCall } from '../../docker-api/index.ts';
import { atEach, failureText, mergedFailure, type Outcomes } from '../pool/each-node.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { followProgress } from './engine-progress.ts';
import { NodeProgress } from './node-progress.ts';

/** The same call to several engines, each of which answers with its progress. */
export interface FanOut {
  nodes: readonly EngineNode[];
  /** With the version, for that node. */
  path: (node: EngineNode) => string;
  headers: Record<string, string | string[]>;
  /** Goes to all of them, at the pace of the slowest. */
  upload?: Readable;
  /** Begins each node's line of progress. */
  title: string;
  signal: AbortSignal;
  /** An engine has accepted. */
  onOpen?: () => void;
  onLine?: (line: Json) => void;
}

/** An engine that takes nothing of an upload for this long does not hold up the others any more. */
const STALL_MS = 60_000;

/** Makes the call everywhere. Gives every node's progress; an error in an engine's stream is a failure. */
export async function fanOut(job: FanOut): Promise<Outcomes<NodeProgress>> {
  const broadcast = job.upload ? new Broadcast(job.upload, { stallMs: STALL_MS }) : undefined;
  const branches = new Map(broadcast ? job.nodes.map((node) => [node, broadcast.branch()]) : []);
  // A broken upload breaks the copies, and so each engine's outcome tells of it.
  const uploading = broadcast?.run().catch(() => undefined);
  const outcomes = await atEach(job.nodes, (node) => runAt(node, job, branches.get(node)));
  await uploading;
  return outcomes;
}

async function runAt(node: EngineNode, job: FanOut, branch: Branch | undefined): Promise<NodeProgress> {
  const progress = new NodeProgress(node.name, job.title);
  try {
    await followProgress(node, {
      request: { method: 'POST', path: job.path(node), headers: job.headers, body: branch?.stream ?? null },
      signal: job.signal,
      onOpen: () => {
        job.onOpen?.();
        job.onLine?.(progress.started());
      },
      onMessage: (message) => {
        const line = progress.take(message, Date.now());
        if (line) job.onLine?.(line);
      },
    });
    return progress;
  } finally {
    branch?.close();
    node.inventory.mark('images');
  }
}

export interface FanOutAnswer {
  /** Behind the title when a node is through: `downloaded`. */
  word: string;
  /** No line a node: only what engines say of the whole. */
  quiet: boolean;
}

/**
 * `fanOut`, with the merged progress as the client's answer: a line a node, then what the engines said of the whole,
 * then the failures with their nodes. Throws, with nothing sent, when every engine refused.
 */
export async function answerFanOut(
  call: ApiCall,
  job: Omit<FanOut, 'signal' | 'onOpen' | 'onLine'>,
  { word, quiet }: FanOutAnswer,
): Promise<void> {
  const answer = new ProgressStream(call.res);
  const outcomes = await fanOut({
    ...job,
    signal: call.signal,
    onOpen: () => answer.open(),
    onLine: (line) => {
      if (!quiet && !answer.behind) answer.send(line);
    },
  });
  if (!answer.opened && outcomes.failed.length > 0) throw mergedFailure(outcomes.failed);
  answer.open();
  if (!quiet) for (const { value } of outcomes.done) answer.send(value.ended(word));
  for (const line of lastLines(outcomes)) answer.send(line);
  const { done, failed } = outcomes;
  if (failed.length > 0) answer.fail(done.length === 0 ? mergedFailure(failed).message : failureText(failed));
  answer.end();
  call.dropUpload();
}

/** What the engines said of the whole, each thing once. */
function lastLines({ done }: Outcomes<NodeProgress>): Json[] {
  const lines = new Map<string, Json>();
  for (const { value } of done) for (const line of value.last) lines.set(JSON.stringify(line), line);
  const all = [...lines.values()];
  // Where one engine had to fetch it, the image was not up to date, whatever the others say.
  const isNews = (line: Json): boolean => asString(line['status']).startsWith('Status: Downloaded');
  const isNoNews = (line: Json): boolean =>
    asString(line['status']).startsWith('Status: Image is up to date');
  return all.some(isNews) ? all.filter((line) => !isNoNews(line)) : all;
}

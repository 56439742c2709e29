import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SwarmError } from '../base/errors.ts';
import { readJson } from '../docker-api/index.ts';
import type { LogLine } from '../dispatcher/index.ts';
import type { ManagerHandler } from './daemon-context.ts';
import { lineToJson, wishFromJson } from './wire-lines.ts';

/** `POST /swarm/logs`: lines as the leader collects them, for another manager's reader. Cut off where the leader ends. Not Docker's. */
export const collectedLogs: ManagerHandler = async (call, _context, swarm) => {
  const { selector, options } = wishFromJson(await readJson(call.req));
  const { leading } = swarm.manager;
  if (!leading) throw new SwarmError('no-manager', 'this manager does not lead');
  const lines = leading.logs.subscribe(selector, options, call.signal);
  call.res.writeHead(200, { 'content-type': 'application/json' });
  call.res.flushHeaders();
  await pipeline(Readable.from(asJson(lines)), call.res).catch(() => undefined); // the other manager asks again
};

async function* asJson(lines: AsyncIterable<LogLine>): AsyncGenerator<string> {
  for await (const line of lines) yield* lineToJson(line);
}

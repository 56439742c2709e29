/**
 * Plays many agents from a process of its own: `agents-main.ts FILE`, where FILE is the JSON of a Crew. Each line on
 * standard input is answered by one with the numbers so far; its end ends all.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Agent } from '../test/agents/index.ts';

export interface Crew {
  readonly addr: string;
  readonly rootPem: string;
  readonly keyPem: string;
  readonly nodes: readonly { readonly nodeId: string; readonly certPem: string }[];
}

export interface CrewNumbers {
  readonly sessions: number;
  readonly heartbeats: number;
  readonly tasks: number;
  readonly trouble: string;
}

const { addr, rootPem, keyPem, nodes } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Crew;
const agents = nodes.map(
  ({ nodeId, certPem }) => new Agent({ addr, credentials: { nodeId, certPem, keyPem, rootPem } }),
);

const lines = createInterface({ input: process.stdin });
for await (const line of lines) {
  if (line !== '') continue;
  const sum = (of: (agent: Agent) => number): number => agents.reduce((total, agent) => total + of(agent), 0);
  const numbers: CrewNumbers = {
    sessions: sum((agent) => agent.sessions),
    heartbeats: sum((agent) => agent.heartbeats),
    tasks: sum((agent) => agent.tasks.size),
    trouble: agents.find((agent) => agent.troubles.length > 0)?.troubles[0] ?? '',
  };
  console.log(JSON.stringify(numbers));
}
await Promise.all(agents.map((agent) => agent.close()));
process.exit(0);

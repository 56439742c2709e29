import type { DoctorAnswer, DoctorService, Finding } from './network-doctor-answer.ts';

type Row = readonly string[];

const VERDICTS: Readonly<Record<Finding['verdict'], string>> = {
  ok: 'ok',
  warning: 'warning',
  fault: 'FAULT',
};

/** By the word of the API. */
const BALANCERS: ReadonlyMap<string, string> = new Map([
  ['nftables', 'balanced by swarmd (nftables)'],
  ['engine', 'balanced by its engine (IPVS)'],
  ['none', 'balanced by nothing'],
  ['unlikely', 'probably balanced by nothing'],
  ['unknown', 'not known whether anything balances'],
]);

/** What `swarm network doctor` prints: the service, node by node what was found, and the sum of it. */
export function doctorPage({ service, findings, nodes }: DoctorAnswer): string {
  const blocks: string[][] = [];
  if (service) blocks.push(serviceBlock(service));
  const common = findingRows(findings);
  if (common.length > 0) blocks.push([service ? 'FINDINGS' : 'NETWORKS', ...columns(common)]);
  // Lined up over all nodes: a reader looks for what stands out.
  const lines = columns(
    nodes.flatMap((node) => (node.findings.length > 0 ? findingRows(node.findings) : [NOTHING])),
  );
  let at = 0;
  for (const node of nodes) {
    const own = lines.slice(at, (at += Math.max(1, node.findings.length)));
    blocks.push([nodeTitle(node), ...own]);
  }
  blocks.push([summary(findings, nodes)]);
  return blocks.map((block) => block.map((line) => `${line}\n`).join('')).join('\n');
}

const NOTHING: Row = ['ok', 'node', 'nothing was found wrong'];

function serviceBlock({ id, name, mode, virtualIps, ports, tasks }: DoctorService): string[] {
  const places: Row[] = [
    ...(mode === 'dnsrr' ? [['name', name, "its tasks' addresses (dnsrr)"]] : []),
    ...virtualIps.map(({ network, address }) => ['virtual IP', address, `on ${network}`]),
    ...ports.map(({ protocol, target, published, publishMode }) => [
      'published port',
      `${published === 0 ? '?' : published}/${protocol}`,
      `to ${target} on ${publishMode === 'host' ? 'the nodes of its tasks' : 'every node'}`,
    ]),
  ];
  const rows = tasks.map(({ name: task, node, state, addresses }): Row => [
    task,
    node === '' ? '-' : node,
    state,
    addresses.map(({ network, address }) => `${address} (${network})`).join(', '),
  ]);
  return [
    `SERVICE ${name} (${id})`,
    ...columns(places),
    ...(rows.length > 0 ? ['', ...columns([['TASK', 'NODE', 'STATE', 'ADDRESSES'], ...rows])] : []),
  ];
}

function nodeTitle({ hostname, state, availability, balancer }: DoctorAnswer['nodes'][number]): string {
  const words = [
    ...(state === 'ready' ? [] : [state]),
    ...(availability === 'active' || availability === '' ? [] : [availability]),
    BALANCERS.get(balancer) ?? balancer,
  ];
  return `NODE ${hostname}: ${words.join(', ')}`;
}

function findingRows(findings: readonly Finding[]): Row[] {
  return findings.map(({ verdict, subject, text }) => [VERDICTS[verdict], subject, text]);
}

function summary(findings: DoctorAnswer['findings'], nodes: DoctorAnswer['nodes']): string {
  const all = [...findings, ...nodes.flatMap((node) => node.findings)];
  const number = (verdict: Finding['verdict']): number => all.filter((one) => one.verdict === verdict).length;
  const looked = `${counted(nodes.length, 'node')} looked at`;
  return `${looked}: ${counted(number('fault'), 'fault')}, ${counted(number('warning'), 'warning')}.`;
}

function counted(number: number, noun: string): string {
  if (number === 0) return `no ${noun}${noun === 'node' ? '' : 's'}`;
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** Rows with their cells below one another, set in by two. */
function columns(rows: readonly Row[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  return rows.map((row) => {
    const cells = row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)));
    return `  ${cells.join('   ')}`.trimEnd();
  });
}

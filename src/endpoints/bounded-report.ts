import type { BalancerReport, DoctorFinding, MeshPortRef, PortProtocol } from '../model/index.ts';

const PROBLEMS_MAX = 50;
const TEXT_MAX = 1_000;
const PORTS_MAX = 1_000;
const KEEPS_MAX = 10_000;
const FINDINGS_MAX = 500;
const PORT_MAX = 65_535;
const PROTOCOLS: ReadonlySet<PortProtocol> = new Set(['tcp', 'udp', 'sctp']);

/** A report as it may be kept and shown, whatever was sent: of a bounded size, without control characters. */
export function boundedReport(report: BalancerReport): BalancerReport {
  return {
    version: Number.isSafeInteger(report.version) && report.version > 0 ? report.version : 0,
    mode: report.mode,
    problems: report.problems.slice(0, PROBLEMS_MAX).map(shown),
    takenPorts: report.takenPorts.filter(isPort).slice(0, PORTS_MAX),
    keepsClients: report.keepsClients.slice(0, KEEPS_MAX),
  };
}

export function boundedFindings(findings: readonly DoctorFinding[]): DoctorFinding[] {
  return findings
    .slice(0, FINDINGS_MAX)
    .map(({ verdict, subject, text }) => ({ verdict, subject: shown(subject), text: shown(text) }));
}

function isPort({ protocol, published }: MeshPortRef): boolean {
  return PROTOCOLS.has(protocol) && Number.isInteger(published) && published > 0 && published <= PORT_MAX;
}

/** It ends up in a terminal: of control characters only the end of a line stays. */
function shown(text: string): string {
  return text
    .slice(0, TEXT_MAX)
    .replace(/[^\P{Cc}\n]/gu, ' ')
    .toWellFormed();
}

import type { AnswerRequest, ReportRequest } from '../../proto/generated/skep/endpoints_pb.js';
import type { BalancerReport, DoctorFinding } from '../model/index.ts';
import { MODE_OF, PROTOCOL_OF, VERDICT_OF } from './wire-enums.ts';

/** What a balancer says; of what this side does not know, a newer balancer's, the nearest that it does. */
export function reportFromWire(request: ReportRequest): BalancerReport {
  return {
    version: Number(request.version),
    mode: MODE_OF.get(request.mode) ?? 'none',
    problems: request.problems,
    takenPorts: request.takenPorts.flatMap(({ protocol, published }) => {
      const known = PROTOCOL_OF.get(protocol);
      return known ? [{ protocol: known, published }] : [];
    }),
    keepsClients: request.keepsClients,
  };
}

export function findingsFromWire({ findings }: AnswerRequest): DoctorFinding[] {
  return findings.map(({ verdict, subject, text }) => ({
    verdict: VERDICT_OF.get(verdict) ?? 'warning',
    subject,
    text,
  }));
}

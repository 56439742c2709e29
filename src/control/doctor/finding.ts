import type { DoctorFinding } from '../../model/index.ts';

export function ok(subject: string, text: string): DoctorFinding {
  return { verdict: 'ok', subject, text };
}

export function warning(subject: string, text: string): DoctorFinding {
  return { verdict: 'warning', subject, text };
}

export function fault(subject: string, text: string): DoctorFinding {
  return { verdict: 'fault', subject, text };
}

/** `one node`, `3 nodes`. */
export function count(number: number, noun: string): string {
  return number === 1 ? `one ${noun}` : `${number} ${noun}s`;
}

import { Mode, Protocol, Verdict } from '../../proto/generated/skep/endpoints_pb.js';
import type { BalancerMode, DoctorFinding, PortProtocol } from '../model/index.ts';

/** The wire's number of each word. */
export const PROTOCOL: Readonly<Record<PortProtocol, Protocol>> = {
  tcp: Protocol.TCP,
  udp: Protocol.UDP,
  sctp: Protocol.SCTP,
};
export const MODE: Readonly<Record<BalancerMode, Mode>> = {
  none: Mode.NONE,
  nftables: Mode.NFTABLES,
  engine: Mode.ENGINE,
};
export const VERDICT: Readonly<Record<DoctorFinding['verdict'], Verdict>> = {
  ok: Verdict.OK,
  warning: Verdict.WARNING,
  fault: Verdict.FAULT,
};

/** The word of each number; there is none for what the other side alone knows. */
export const PROTOCOL_OF = words(PROTOCOL);
export const MODE_OF = words(MODE);
export const VERDICT_OF = words(VERDICT);

function words<W extends string, N extends number>(numbers: Readonly<Record<W, N>>): ReadonlyMap<number, W> {
  return new Map((Object.entries(numbers) as [W, N][]).map(([word, number]) => [number, word]));
}

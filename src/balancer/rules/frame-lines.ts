import { TABLE } from './parts.ts';

/** Makes the place's table anew, in the transaction that its units are added in again. */
export function anew(...statements: readonly string[]): string[] {
  return [`add table ${TABLE}`, `delete table ${TABLE}`, `add table ${TABLE}`, IDLE, ...statements];
}

/**
 * How long a connection may be silent: a week, where the kernel's default is five days and IPVS has 15 minutes; an hour
 * where one side has closed. What the kernel's settings say does not matter then.
 */
const IDLE =
  `add ct timeout ${TABLE} idle ` +
  '{ protocol tcp; l3proto ip; policy = { established : 604800, fin_wait : 3600, close_wait : 3600 } ; }';

/** For new connections, which alone the chains of `nat` see. */
export const TAKE_TIME = 'meta l4proto tcp ct timeout set "idle"';

/** What is balanced; the rest (ping above all) is answered by the sandbox itself. */
export const BALANCED = 'meta l4proto { tcp, udp, sctp }';

/** Adds a chain that the kernel calls, and its rules. */
export function baseChain(name: string, hook: string, rules: readonly string[]): string[] {
  return [
    `add chain ${TABLE} ${name} { ${hook} ; policy accept ; }`,
    ...rules.map((rule) => `add rule ${TABLE} ${name} ${rule}`),
  ];
}

/** Before Docker's own translations (-100 and 100): the first that translates a connection decides. */
export const NAT_IN = 'type nat hook prerouting priority -110';
export const NAT_HERE = 'type nat hook output priority -110';
export const NAT_OUT = 'type nat hook postrouting priority 90';

/**
 * A packet in the middle of a connection that nobody knows any more is not sent to just any task: it stays in the
 * sandbox, which refuses it.
 */
export const KNOWN_STARTS = 'meta l4proto tcp tcp flags & (fin | syn | rst | ack) != syn accept';

/**
 * What has no task stays in the sandbox and is refused at once, before the kernel has made a connection of it, which would
 * keep a client's later packets from a task that has come since. After IPVS (99), where the kernel has it. A stray
 * packet of a live connection is dropped: an answer would end that connection.
 */
export const REFUSE = baseChain('refuse', 'type filter hook input priority 150', [
  'iifname "lo" accept',
  'ct state invalid drop',
  'ct state new meta l4proto tcp reject with tcp reset',
  'ct state new meta l4proto { udp, sctp } reject',
]);

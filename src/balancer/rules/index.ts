/** The door of the rules: from endpoints to what the kernel is to be told. Pure. */
export { firewallRules } from './firewall.ts';
export { GATEWAY_BRIDGE } from './host-rules.ts';
export { rules } from './rules.ts';
export { soundPorts } from './sound.ts';
export type { Flow, Frame, HostFacts, Part, Place, Rules, Unit, Wish } from './types.ts';

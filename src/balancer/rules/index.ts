/** The door of the rules: from endpoints to what the kernel is to be told. Pure. */
export { firewallRules } from './firewall.ts';
export { rules } from './rules.ts';
export type { Flow, Frame, HostFacts, Part, Place, Rules, Unit, Wish } from './types.ts';

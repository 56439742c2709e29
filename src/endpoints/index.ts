/** The door of the endpoints: who answers for which service, and the balancers that are told. */
export type { Endpoints, StopGate } from './types.ts';

/** The door of the endpoints: who answers for which service, and the balancers that are told. */
export { createEndpoints } from './endpoints.ts';
export type { Endpoints, EndpointsOptions, EndpointsWaits } from './types.ts';
export { connectEndpoints, type RemoteEndpoints, type RemoteOptions } from './client.ts';

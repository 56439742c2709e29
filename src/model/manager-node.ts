import type { Availability, Node } from './node.ts';

/** The row of a host that manages from its first moment. Its engine fills in the rest when it has joined. */
export function newManagerNode(said: {
  readonly id: string;
  /** `host:port` of its port for agents and managers. */
  readonly addr: string;
  readonly availability: Availability;
}): Omit<Node, 'meta'> {
  return {
    id: said.id,
    spec: { annotations: { name: '', labels: {} }, role: 'manager', availability: said.availability },
    role: 'manager',
    status: { state: 'unknown', message: '', addr: '' },
    certificate: { csrPem: '', certPem: '', state: 'issued' },
    managerAddr: said.addr,
    attachments: [],
  };
}

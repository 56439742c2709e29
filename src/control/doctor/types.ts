import type {
  Availability,
  BalancerReport,
  DoctorFinding,
  NodeState,
  PortConfig,
  TaskState,
} from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import type { Balancing, MeshKnowledge } from '../mesh-knowledge.ts';

/** The balancers of the nodes, as a manager reaches them. */
export interface NodeBalancers {
  /** What the node's balancer said last; undefined where none follows. */
  reportOf(nodeId: string): BalancerReport | undefined;
  /** Has it look at one service ('' for the node alone). Undefined where none follows; throws `timeout`. */
  ask(nodeId: string, serviceId: string, signal: AbortSignal): Promise<readonly DoctorFinding[] | undefined>;
}

/** What a diagnosis is made from. */
export interface DoctorContext {
  readonly view: View;
  readonly balancers: NodeBalancers;
  readonly knowledge: MeshKnowledge;
}

/** An address on a network, without its prefix. */
export interface AddressOn {
  readonly networkId: string;
  /** The network's name. */
  readonly network: string;
  readonly address: string;
}

/** A task that is wanted, or has not ended yet. */
export interface ExpectedTask {
  readonly id: string;
  readonly name: string;
  readonly nodeId: string;
  /** Its node's hostname; '' until it is placed. */
  readonly node: string;
  readonly state: TaskState;
  readonly desiredState: TaskState;
  readonly addresses: readonly AddressOn[];
}

/** Where a service is to be found, by what the manager has given it. */
export interface ExpectedService {
  readonly id: string;
  readonly name: string;
  readonly mode: 'vip' | 'dnsrr';
  readonly virtualIps: readonly AddressOn[];
  readonly ports: readonly PortConfig[];
  /** Its tasks are to see their clients' addresses, at ports of the mesh. */
  readonly keepsClients: boolean;
  readonly tasks: readonly ExpectedTask[];
}

/** What was found on one node. */
export interface NodeDiagnosis {
  readonly id: string;
  readonly hostname: string;
  readonly state: NodeState;
  readonly availability: Availability;
  readonly balancing: Balancing;
  readonly findings: readonly DoctorFinding[];
}

export interface Diagnosis {
  readonly service?: ExpectedService;
  /** Of the service, and of the networks as a whole. */
  readonly findings: readonly DoctorFinding[];
  readonly nodes: readonly NodeDiagnosis[];
}

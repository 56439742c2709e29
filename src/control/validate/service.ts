import { SwarmError } from '../../base/errors.ts';
import type {
  EndpointSpec,
  Resources,
  RestartPolicy,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
  UpdateConfig,
} from '../../model/index.ts';
import { parseConstraint } from '../../scheduler/index.ts';
import { rpcError } from '../rpc-error.ts';
import { checkContainer } from './container.ts';
import { goFloat } from './go-float.ts';
import { checkServiceName } from './names.ts';
import { checkReferences } from './references.ts';

/** What can be said of a service's spec without the rest of the swarm. Throws `invalid` in SwarmKit's words. */
export function checkServiceSpec(spec: ServiceSpec): void {
  checkServiceName(spec.annotations);
  checkTask(spec.task);
  checkMode(spec.mode);
  if (isJob(spec)) {
    if (spec.update) throw rpcError('InvalidArgument', 'Jobs may not have an update config');
  } else if (spec.update) checkUpdate(spec.update);
  if (spec.endpoint) checkEndpoint(spec.endpoint);
}

export function isJob({ mode }: Pick<ServiceSpec, 'mode'>): boolean {
  return mode.kind === 'replicated-job' || mode.kind === 'global-job';
}

function checkTask({ limits, reservations, restart, placement, container }: TaskSpec): void {
  if (limits) checkResources(limits);
  if (reservations) checkResources(reservations);
  if (restart) checkRestart(restart);
  for (const constraint of placement?.constraints ?? []) checkConstraint(constraint);
  if (!container) throw rpcError('InvalidArgument', 'ContainerSpec: missing in service spec');
  checkReferences(container);
  checkContainer(container);
}

const MIN_NANO_CPUS = 1e6;
const MIN_MEMORY_BYTES = 4 * 1024 * 1024;

function checkResources({ nanoCpus, memoryBytes }: Resources): void {
  if (nanoCpus !== 0 && nanoCpus < MIN_NANO_CPUS) {
    const given = goFloat(nanoCpus / 1e9);
    throw rpcError('InvalidArgument', `invalid cpu value ${given}: Must be at least 0.001`);
  }
  if (memoryBytes !== 0 && memoryBytes < MIN_MEMORY_BYTES) {
    throw rpcError('InvalidArgument', `invalid memory value ${memoryBytes}: Must be at least 4MiB`);
  }
}

function checkRestart({ delayNs = 0, windowNs = 0 }: RestartPolicy): void {
  if (delayNs < 0) throw rpcError('InvalidArgument', 'TaskSpec: restart-delay cannot be negative');
  if (windowNs < 0) throw rpcError('InvalidArgument', 'TaskSpec: restart-window cannot be negative');
}

/** SwarmKit gives no code to these, so that Docker answers 500; here they are the caller's fault. */
function checkConstraint(constraint: string): void {
  try {
    parseConstraint(constraint);
  } catch (error) {
    if (!(error instanceof SwarmError)) throw error;
    throw new SwarmError(error.code, `rpc error: code = Unknown desc = ${error.message}`, { cause: error });
  }
}

function checkMode(mode: ServiceMode): void {
  if (mode.kind === 'replicated' && isNegative(mode.replicas)) {
    throw rpcError('InvalidArgument', 'Number of replicas must be non-negative');
  }
  if (mode.kind !== 'replicated-job') return;
  if (isNegative(mode.maxConcurrent)) {
    throw rpcError('InvalidArgument', 'Maximum concurrent jobs must not be negative');
  }
  if (isNegative(mode.totalCompletions)) {
    throw rpcError('InvalidArgument', 'Total completed jobs must not be negative');
  }
}

/** A number without a sign that would be below 0 with one: what old clients send for -1. */
function isNegative(count: number): boolean {
  return count >= 2 ** 63;
}

function checkUpdate({ delayNs, monitorNs = 0, maxFailureRatio }: UpdateConfig): void {
  if (delayNs < 0) throw rpcError('InvalidArgument', 'TaskSpec: update-delay cannot be negative');
  if (monitorNs < 0) throw rpcError('InvalidArgument', 'TaskSpec: update-monitor cannot be negative');
  if (maxFailureRatio < 0 || maxFailureRatio > 1) {
    throw rpcError(
      'InvalidArgument',
      'TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1',
    );
  }
}

const PORT_MAX = 65_535;

function checkEndpoint({ mode, ports }: EndpointSpec): void {
  const published = new Set<string>();
  for (const { protocol, publishedPort, targetPort, publishMode } of ports) {
    if (mode === 'dnsrr' && publishMode === 'ingress') {
      throw rpcError(
        'InvalidArgument',
        "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
      );
    }
    for (const port of [publishedPort, targetPort]) {
      if (port > PORT_MAX) throw rpcError('InvalidArgument', `EndpointSpec: invalid port ${port}`);
    }
    if (publishedPort === 0) continue;
    const key = `${publishedPort}/${protocol}`;
    if (published.has(key)) {
      throw rpcError('InvalidArgument', 'EndpointSpec: duplicate published ports provided');
    }
    published.add(key);
  }
}

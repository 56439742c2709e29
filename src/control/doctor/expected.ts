import {
  hasEnded,
  MESH_CLIENT_LABEL,
  stateRank,
  type NetworkAttachment,
  type Service,
  type Task,
} from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import { taskName } from '../find.ts';
import type { AddressOn, ExpectedService, ExpectedTask } from './types.ts';

/** Where a service is to be found; its tasks by name. */
export function expectedService(view: View, service: Service): ExpectedService {
  const { id, spec, endpoint } = service;
  const ports = endpoint?.ports ?? spec.endpoint?.ports ?? [];
  const tasks = [...view.tasksOfService(id)].filter(isListed).map((task) => expectedTask(view, task));
  return {
    id,
    name: spec.annotations.name,
    mode: (endpoint?.spec ?? spec.endpoint)?.mode ?? 'vip',
    virtualIps: (endpoint?.virtualIps ?? []).map(({ networkId, addr }) => addressOn(view, networkId, addr)),
    ports,
    keepsClients: keepsClients(spec) && ports.some(({ publishMode }) => publishMode === 'ingress'),
    tasks: tasks.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true })),
  };
}

function keepsClients({ annotations: { labels } }: Service['spec']): boolean {
  return Object.hasOwn(labels, MESH_CLIENT_LABEL) && labels[MESH_CLIENT_LABEL] === 'true';
}

/** Whether it gets new connections, if its node is up. */
export function serves({ state, desiredState }: ExpectedTask): boolean {
  return state === 'running' && desiredState === 'running';
}

/** What has ended is told of elsewhere: `docker service ps` keeps it. */
function isListed({ status }: Task): boolean {
  return !hasEnded(status.state);
}

/** Whether a task is wanted to run now, or to be done. */
export function isWanted({ desiredState }: Pick<Task, 'desiredState'>): boolean {
  return stateRank(desiredState) <= stateRank('complete');
}

function expectedTask(view: View, task: Task): ExpectedTask {
  const { id, nodeId, status, desiredState } = task;
  return {
    id,
    name: taskName(task).replace(`.${id}`, ''),
    nodeId,
    node: nodeName(view, nodeId),
    state: status.state,
    desiredState,
    addresses: task.networks.flatMap((attachment) => addressesOf(view, attachment)),
  };
}

function addressesOf(view: View, { networkId, addresses }: NetworkAttachment): AddressOn[] {
  return addresses.map((address) => addressOn(view, networkId, address));
}

function addressOn(view: View, networkId: string, address: string): AddressOn {
  return { networkId, network: networkName(view, networkId), address: address.replace(/\/.*$/, '') };
}

/** A network's name, or its id where the network is gone. */
export function networkName(view: View, id: string): string {
  return view.get('network', id)?.spec.annotations.name ?? id;
}

/** A node's hostname, or its id where that is not known; '' for no node. */
export function nodeName(view: View, id: string): string {
  return view.get('node', id)?.description?.hostname || id;
}

import { describe, expect, it } from 'vitest';
import type { ServiceSpec } from '../../model/index.ts';
import { serviceSpec } from '../shapes/service-spec.ts';
import { readBodyAs } from '../shapes/shape.ts';
import { adjustForVersion } from './adjust.ts';

const SPEC = readBodyAs(serviceSpec, {
  Name: 'web',
  TaskTemplate: {
    ContainerSpec: {
      Image: 'x',
      Sysctls: { a: 'b' },
      CapabilityAdd: ['A'],
      CapabilityDrop: ['B'],
      Ulimits: [{ Name: 'core', Hard: 1, Soft: 1 }],
      OomScoreAdj: 4,
      Privileges: { Seccomp: { Mode: 'unconfined' }, AppArmor: { Mode: 'disabled' }, NoNewPrivileges: true },
      Healthcheck: { Interval: 1e9, StartInterval: 1e9 },
      Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 1, Options: [['noexec']] } }],
    },
    Resources: { Limits: { Pids: 5, MemoryBytes: 5e6 }, SwapBytes: 1, MemorySwappiness: 2 },
    Placement: { MaxReplicas: 3, Constraints: ['node.role==worker'] },
  },
  Mode: { ReplicatedJob: { MaxConcurrent: 2 } },
});

/** What of the spec is left to a client of this version. */
function left(minor: number): string[] {
  const { mode, task } = adjustForVersion(SPEC, minor);
  const { container, limits, placement, swapBytes, memorySwappiness } = task;
  const has: Record<string, unknown> = {
    job: mode.kind === 'replicated-job',
    sysctls: Object.keys(container?.sysctls ?? {}).length,
    maxReplicas: placement?.maxReplicas,
    capabilities: container?.capabilityAdd.length && container.capabilityDrop.length,
    ulimits: container?.ulimits.length,
    pids: limits?.pids,
    seccomp: container?.privileges?.seccomp,
    apparmor: container?.privileges?.apparmor,
    noNewPrivileges: container?.privileges?.noNewPrivileges,
    startInterval: container?.healthcheck?.startIntervalNs,
    tmpfsOptions: container?.mounts[0]?.tmpfs?.options,
    oomScoreAdj: container?.oomScoreAdj,
    swap: swapBytes,
    swappiness: memorySwappiness,
  };
  return Object.keys(has).filter((name) => Boolean(has[name]));
}

const OF_40 = ['sysctls', 'maxReplicas'];
const OF_41 = ['job', ...OF_40, 'capabilities', 'ulimits', 'pids'];
const OF_44 = [...OF_41, 'seccomp', 'apparmor', 'noNewPrivileges', 'startInterval'];
const OF_46 = [...OF_44, 'tmpfsOptions', 'oomScoreAdj'];

describe('adjustForVersion', () => {
  it.each([
    [30, []],
    [39, []],
    [40, OF_40],
    [41, OF_41],
    [43, OF_41],
    [44, OF_44],
    [45, OF_44],
    [46, OF_46],
    [51, OF_46],
    [52, [...OF_46, 'swap', 'swappiness']],
  ])('leaves a client of 1.%i %j', (minor, names) => {
    expect(left(minor)).toEqual(names);
  });

  it('keeps all else', () => {
    const { task, annotations }: ServiceSpec = adjustForVersion(SPEC, 30);
    expect(annotations).toEqual(SPEC.annotations);
    expect(task.limits?.memoryBytes).toBe(5e6);
    expect(task.placement?.constraints).toEqual(['node.role==worker']);
    expect(task.container?.healthcheck?.intervalNs).toBe(1e9);
    expect(task.container?.mounts[0]?.tmpfs?.sizeBytes).toBe(1);
  });
});

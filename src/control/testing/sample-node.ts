import type { Node } from '../../model/index.ts';
import type { Fresh } from '../../store/index.ts';

/** A node of a swarm in tests: a worker that is ready. */
export function sampleNode(id: string, parts: Partial<Fresh<'node'>> = {}): Fresh<'node'> {
  return {
    id,
    spec: { annotations: { name: '', labels: {} }, role: 'worker', availability: 'active' },
    role: 'worker',
    status: { state: 'ready', message: '', addr: '10.0.0.2' },
    certificate: { csrPem: '', certPem: '', state: 'issued' },
    description: description(`host-${id}`),
    attachments: [],
    ...parts,
  };
}

function description(hostname: string): NonNullable<Node['description']> {
  return {
    hostname,
    platform: { architecture: 'x86_64', os: 'linux' },
    resources: {
      nanoCpus: 2_000_000_000,
      memoryBytes: 4096,
      generic: [{ kind: 'gpu', value: 2 }],
    },
    engineVersion: '20.10.24',
    engineLabels: { disk: 'ssd' },
    plugins: [{ type: 'Network', name: 'overlay' }],
    tls: { trustRootPem: 'PEM', issuerSubject: 'MBM=', issuerPublicKey: 'MFk=' },
    fips: false,
  };
}

import { asArray, asNumber, asObject, asString, type Json } from '../base/json.ts';

/** One line of what was found; a verdict that is not known is a fault. */
export interface Finding {
  readonly verdict: 'ok' | 'warning' | 'fault';
  readonly subject: string;
  readonly text: string;
}

/** What `GET /swarm/network-doctor` answers, as far as it is shown. */
export interface DoctorAnswer {
  readonly service?: DoctorService;
  readonly findings: readonly Finding[];
  readonly nodes: readonly {
    readonly hostname: string;
    readonly state: string;
    readonly availability: string;
    readonly balancer: string;
    readonly findings: readonly Finding[];
  }[];
}

export interface DoctorService {
  readonly id: string;
  readonly name: string;
  readonly mode: string;
  readonly virtualIps: readonly Address[];
  readonly ports: readonly {
    readonly protocol: string;
    readonly target: number;
    readonly published: number;
    readonly publishMode: string;
  }[];
  readonly tasks: readonly {
    readonly name: string;
    readonly node: string;
    readonly state: string;
    readonly addresses: readonly Address[];
  }[];
}

interface Address {
  readonly network: string;
  readonly address: string;
}

export function readAnswer(value: unknown): DoctorAnswer {
  const answer = asObject(value);
  const service = answer['Service'];
  return {
    ...(service === null || service === undefined ? {} : { service: readService(asObject(service)) }),
    findings: readFindings(answer['Findings']),
    nodes: objects(answer['Nodes']).map((node) => ({
      hostname: shown(node['Hostname']),
      state: shown(node['State']),
      availability: shown(node['Availability']),
      balancer: shown(node['Balancer']),
      findings: readFindings(node['Findings']),
    })),
  };
}

function readService(service: Json): DoctorService {
  return {
    id: shown(service['ID']),
    name: shown(service['Name']),
    mode: shown(service['EndpointMode']),
    virtualIps: readAddresses(service['VirtualIPs']),
    ports: objects(service['Ports']).map((port) => ({
      protocol: shown(port['Protocol']),
      target: asNumber(port['TargetPort']),
      published: asNumber(port['PublishedPort']),
      publishMode: shown(port['PublishMode']),
    })),
    tasks: objects(service['Tasks']).map((task) => ({
      name: shown(task['Name']),
      node: shown(task['Node']),
      state: shown(task['State']),
      addresses: readAddresses(task['Addresses']),
    })),
  };
}

function readAddresses(value: unknown): Address[] {
  return objects(value).map((one) => ({ network: shown(one['Network']), address: shown(one['Addr']) }));
}

function readFindings(value: unknown): Finding[] {
  return objects(value).map((one) => {
    const verdict = one['Verdict'];
    return {
      verdict: verdict === 'ok' || verdict === 'warning' ? verdict : 'fault',
      subject: shown(one['Subject']),
      text: shown(one['Text']),
    };
  });
}

function objects(value: unknown): Json[] {
  return asArray(value).map(asObject);
}

/** Nodes word what they found themselves: nothing of it may steer a terminal, or look like another line. */
function shown(value: unknown): string {
  return asString(value).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}

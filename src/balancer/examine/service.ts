import type { DoctorFinding, ServiceEndpoints } from '../../model/index.ts';
import { fault, ok, warning } from './finding.ts';

/** What the balancer has been told of a service on one network. */
export function addressFinding(
  { virtualIp, backends, ports }: ServiceEndpoints,
  nodeAddress: string,
  networkName: string,
): DoctorFinding {
  const subject = `addresses on ${networkName}`;
  const serving = backends.filter(({ state }) => state === 'serving').map(({ address }) => address);
  const own = nodeAddress === '' ? '' : `, this node's is ${nodeAddress.split('/')[0]}`;
  const entry =
    ports.length > 0
      ? publishedWords(ports)
      : virtualIp === ''
        ? 'No virtual IP (dnsrr)'
        : `The virtual IP ${virtualIp}`;
  if (serving.length === 0) return warning(subject, `${entry} refuses, because no task serves${own}`);
  if (nodeAddress === '') return fault(subject, `This node has none of its own, and can't balance there`);
  const shown =
    serving.slice(0, 5).join(', ') + (serving.length > 5 ? ` and ${serving.length - 5} more` : '');
  return ok(subject, `${entry} leads to ${shown}${own}`);
}

function publishedWords(ports: ServiceEndpoints['ports']): string {
  const shown = ports
    .slice(0, 5)
    .map(({ published, target, protocol }) => `${published}:${target}/${protocol}`);
  return `${ports.length === 1 ? 'Port' : 'Ports'} ${shown.join(', ')}${ports.length > 5 ? '…' : ''}`;
}

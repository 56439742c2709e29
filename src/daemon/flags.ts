import { LOG_LEVELS } from '../base/log.ts';
import type { FlagSpec } from '../base/flags.ts';

/** Where swarmd listens unless it is told. */
export const DEFAULT_HOST = 'unix:///run/swarmd.sock';

/** The options of `swarmd`. */
export const FLAGS: readonly FlagSpec[] = [
  {
    names: ['host', 'H'],
    kind: 'list',
    usage: `where to listen: unix://PATH, tcp://IP:PORT, fd:// for sockets of systemd (${DEFAULT_HOST} unless one is given)`,
    env: 'SWARMD_HOST',
  },
  {
    names: ['engine'],
    kind: 'string',
    default: 'unix:///var/run/docker.sock',
    usage: 'the Docker Engine of this host',
    env: 'SWARMD_ENGINE',
  },
  {
    names: ['state-dir'],
    kind: 'string',
    default: '/var/lib/swarmd',
    usage: 'where the state of the swarm is kept',
    env: 'SWARMD_STATE_DIR',
  },
  {
    names: ['store'],
    kind: 'string',
    default: 'sqlite',
    usage:
      'what keeps the state [sqlite, memory, etcd://[USER:PASSWORD@]HOST[:PORT],…[/PREFIX]]; sqlite becomes an etcd of the managers’ own when the second one joins; memory forgets it; etcd:// is one of yours',
    env: 'SWARMD_STORE',
  },
  {
    names: ['store-cacert'],
    kind: 'string',
    usage: 'the CA of the etcd, which is asked over TLS then',
    env: 'SWARMD_STORE_CACERT',
  },
  {
    names: ['store-cert'],
    kind: 'string',
    usage: 'the certificate that the etcd is shown',
    env: 'SWARMD_STORE_CERT',
  },
  {
    names: ['store-key'],
    kind: 'string',
    usage: 'the key of that certificate',
    env: 'SWARMD_STORE_KEY',
  },
  {
    names: ['store-member'],
    kind: 'bool',
    usage:
      'as a worker, be the one that keeps the state for two managers, before all others; --store-member=false never is',
    env: 'SWARMD_STORE_MEMBER',
  },
  {
    names: ['dispatcher-heartbeat'],
    kind: 'string',
    usage: "how often nodes report, whatever the swarm's setting says (1s to 1m)",
    env: 'SWARMD_DISPATCHER_HEARTBEAT',
  },
  {
    names: ['balancer'],
    kind: 'string',
    default: 'auto',
    usage:
      "who makes this host's virtual IPs and published ports answer [auto, nftables, off]; auto leaves it to the engine where the kernel has IPVS",
    env: 'SWARMD_BALANCER',
  },
  {
    names: ['tls'],
    kind: 'bool',
    usage: 'use TLS on TCP; --tls=false listens without it on any address',
    env: 'SWARMD_TLS',
  },
  {
    names: ['tlsverify'],
    kind: 'bool',
    usage: 'use TLS and ask clients for a certificate of --tlscacert',
    env: 'SWARMD_TLSVERIFY',
  },
  { names: ['tlscacert'], kind: 'string', usage: 'the CA of the clients', env: 'SWARMD_TLSCACERT' },
  { names: ['tlscert'], kind: 'string', usage: 'the certificate', env: 'SWARMD_TLSCERT' },
  { names: ['tlskey'], kind: 'string', usage: 'the key of the certificate', env: 'SWARMD_TLSKEY' },
  {
    names: ['log-level', 'l'],
    kind: 'string',
    default: 'info',
    usage: `what is logged (${LOG_LEVELS.join(', ')})`,
    env: 'SWARMD_LOG_LEVEL',
  },
  { names: ['debug', 'D'], kind: 'bool', usage: 'the same as --log-level debug', env: 'SWARMD_DEBUG' },
  { names: ['help', 'h'], kind: 'bool', usage: 'show help' },
  { names: ['version', 'v'], kind: 'bool', usage: 'print the version' },
];

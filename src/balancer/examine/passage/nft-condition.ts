import { asArray, asNumber, asObject, asString, isObject, type Json } from '../../../base/json.ts';
import { addressesIn, either, nameLike, not, portIn, when, type Met, type Packets } from './packets.ts';

type Condition = (packets: Packets) => Met;

/** Whether packets have one value, of those that nft writes on the right. */
type Has = (right: unknown) => Condition;

/** Of what is not understood. */
export const OPEN: Condition = () => 'some';

const PROTOCOL_NUMBERS: ReadonlyMap<unknown, string> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
]);

/** A match of nft, as its JSON has it. */
export function nftCondition({ op, left, right }: Json): Condition {
  const side = asObject(left);
  const isKnown = op === '==' || op === '!=' || op === 'in';
  const has = (isKnown ? hasOf(side) : undefined) ?? (() => OPEN);
  const each = valuesIn(right).map((one) => (isNamed(one) ? OPEN : has(one)));
  return (packets) => {
    if (!concerns(asObject(side.payload), packets)) return 'none';
    const met = either(each.map((one) => one(packets)));
    return op === '!=' ? not(met) : met;
  };
}

/** A match on a header means no packets that have none. */
function concerns({ protocol }: Json, packets: Packets): boolean {
  return protocol === undefined || protocol === 'ip' || protocol === 'th' || protocol === packets.protocol;
}

function valuesIn(right: unknown): readonly unknown[] {
  if (Array.isArray(right)) return right;
  return isObject(right) && Array.isArray(right.set) ? right.set : [right];
}

/** A set that has a name may hold anything. */
function isNamed(right: unknown): boolean {
  return typeof right === 'string' && right.startsWith('@');
}

function hasOf({ meta, payload, ct }: Json): Has | undefined {
  if (isObject(meta)) return hasMeta(asString(meta.key));
  if (isObject(payload)) return hasPayload(asString(payload.protocol), asString(payload.field));
  return isObject(ct) ? hasTracked(ct) : undefined;
}

function hasMeta(key: string): Has | undefined {
  switch (key) {
    case 'iif':
    case 'iifname':
      return (right) => (packets) => nameLike(packets.inBy, asString(right), '*');
    case 'oif':
    case 'oifname':
      return (right) => (packets) => nameLike(packets.outBy, asString(right), '*');
    case 'l4proto':
      return hasProtocol;
    case 'nfproto':
      return (right) => () => when(right === 'ipv4');
    case 'protocol':
      return (right) => () => when(right === 'ip');
    default:
      return undefined;
  }
}

function hasProtocol(right: unknown): Condition {
  return ({ protocol }) => when((PROTOCOL_NUMBERS.get(right) ?? right) === protocol);
}

function hasPayload(of: string, field: string): Has | undefined {
  switch (field) {
    case 'saddr':
    case 'daddr': {
      if (of !== 'ip') return undefined;
      return (right) => {
        const isIn = blockOf(right);
        return (packets) => isIn(field === 'saddr' ? packets.source : packets.destination);
      };
    }
    case 'protocol':
      return of === 'ip' ? hasProtocol : undefined;
    case 'dport':
      return (right) => (packets) => inRange(packets.destinationPort, right);
    case 'sport':
      return (right) => (packets) => inRange(packets.sourcePort, right);
    default:
      return undefined;
  }
}

function hasTracked({ key, dir }: Json): Has | undefined {
  switch (asString(key)) {
    case 'state':
      return (right) => (packets) => when(right === packets.state);
    case 'status':
      return hasStatus;
    case 'direction':
      return (right) => (packets) =>
        when((right === 'original' || right === 0) === (packets.state === 'new'));
    case 'ip daddr':
    case 'daddr': {
      if (dir !== 'original') return undefined;
      return (right) => {
        const isIn = blockOf(right);
        return (packets) => isIn(packets.publishedAt);
      };
    }
    case 'proto-dst':
      return dir === 'original' ? (right) => (packets) => inRange(packets.publishedPort, right) : undefined;
    default:
      return undefined;
  }
}

function hasStatus(right: unknown): Condition {
  if (right === 'dnat') return () => 'all';
  if (right !== 'seen-reply' && right !== 'confirmed') return OPEN;
  return ({ state }) => when(state === 'established');
}

function blockOf(right: unknown): (address: string) => Met {
  if (isObject(right) && isObject(right.prefix))
    return addressesIn(`${asString(right.prefix.addr)}/${asNumber(right.prefix.len)}`);
  return typeof right === 'string' ? addressesIn(right) : () => 'some';
}

function inRange(port: number, right: unknown): Met {
  if (typeof right === 'number') return portIn(port, right, right);
  if (!isObject(right)) return 'some';
  const [from, to] = asArray(right.range);
  return typeof from === 'number' && typeof to === 'number' ? portIn(port, from, to) : 'some';
}

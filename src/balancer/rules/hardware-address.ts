const MAC_HEAD = '02:42:';

/** The hardware address of an overlay's interface, which libnetwork makes of its IPv4 address. */
export function macOf(address: string): string {
  return `${MAC_HEAD}${address
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join(':')}`;
}

/** And back; '' for a hardware address that is none of libnetwork's. */
export function addressOf(mac: string): string {
  if (!/^02:42(:[0-9a-f]{2}){4}$/.test(mac)) return '';
  return mac
    .slice(MAC_HEAD.length)
    .split(':')
    .map((part) => parseInt(part, 16))
    .join('.');
}

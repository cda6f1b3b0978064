/** The entries of `--trusted-proxy`: addresses, networks, and the word for Unix sockets. */
import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** The programs that connect to Unix sockets. */
export const UNIX = 'unix';

/** The fault of an entry of --trusted-proxy; undefined if it has none. */
export function proxyFault(entry: string): string | undefined {
  if (entry === UNIX) return undefined;
  const [address = '', bits, ...more] = entry.split('/');
  const width = isIPv4(address) ? 32 : isIPv6(address) && !address.includes('%') ? 128 : undefined;
  if (width === undefined || more.length > 0) {
    return `"${entry}" is no address; give addresses, networks such as 10.0.0.0/8, or unix`;
  }
  if (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= width)) return undefined;
  return `"${entry}" has no prefix length from 0 to ${width}`;
}

/** The addresses of entries without a fault. */
export function proxyList(proxies: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of proxies) {
    if (entry === UNIX) continue;
    const [address = '', bits] = entry.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    list.addSubnet(
      address,
      bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits),
      family,
    );
  }
  return list;
}

/** Hosts in configuration files: names, and addresses in their several forms. */
import net from 'node:net';

/** A name or an IPv4 address; a text of digits and dots counts as an address. */
export function isNameOrIPv4(host: string): boolean {
  if (/^[\d.]+$/.test(host)) return net.isIPv4(host);
  // A URL parser also treats a name that ends in a number as an address, mostly an invalid one.
  return /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?$/i.test(host) && URL.canParse(`http://${host}`);
}

/** Like net.isIPv6. The first call of net.isIPv6 compiles a long pattern for 25 ms, so it gets no other text. */
export function isIPv6(host: string): boolean {
  return host.includes(':') && net.isIPv6(host);
}

/** An IPv6 address without brackets. An address with a zone (`fe80::1%eth0`) does not count: URLs cannot contain it. */
export function isPlainIPv6(host: string): boolean {
  return isIPv6(host) && !host.includes('%');
}

/** One form for all spellings of a host, without brackets; an IPv4-mapped IPv6 address becomes IPv4. */
export function canonicalHost(host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  if (!isPlainIPv6(bare)) return bare.toLowerCase().replace(/\.$/, '');
  const shortest = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(shortest);
  if (mapped === null) return shortest;
  const words = mapped.slice(1).map((word) => Number.parseInt(word, 16));
  return words.flatMap((word) => [word >> 8, word & 255]).join('.');
}

/** Addresses that only this machine reaches. A name other than localhost is not looked up. */
export function isLoopback(host: string): boolean {
  if (net.isIPv4(host)) return host.startsWith('127.');
  if (isIPv6(host)) {
    const loopback = new net.BlockList();
    loopback.addAddress('::1', 'ipv6');
    loopback.addSubnet('::ffff:127.0.0.0', 104, 'ipv6');
    return loopback.check(host, 'ipv6');
  }
  return host.toLowerCase() === 'localhost';
}

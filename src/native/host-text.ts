/** Hosts as configurations write them: names, and addresses in their several spellings. */
import net from 'node:net';

/** A name, or an IPv4 address; what is written of digits and dots is meant as an address. */
export function isNameOrIPv4(host: string): boolean {
  if (/^[\d.]+$/.test(host)) return net.isIPv4(host);
  // To a URL, a name that ends in a number is an address too, and mostly none that exists.
  return /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?$/i.test(host) && URL.canParse(`http://${host}`);
}

/** An IPv6 address without brackets. One with a zone (`fe80::1%eth0`) is none here: no URL names it. */
export function isPlainIPv6(host: string): boolean {
  return net.isIPv6(host) && !host.includes('%');
}

/** The same for all spellings of one host, without brackets; an IPv4 address in IPv6's form is IPv4. */
export function canonicalHost(host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  if (!isPlainIPv6(bare)) return bare.toLowerCase().replace(/\.$/, '');
  const shortest = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(shortest);
  if (mapped === null) return shortest;
  const words = mapped.slice(1).map((word) => Number.parseInt(word, 16));
  return words.flatMap((word) => [word >> 8, word & 255]).join('.');
}

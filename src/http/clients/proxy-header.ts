/** The header of the PROXY protocol, version 2 (the binary one), which a proxy sends before a connection's bytes. */

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const FIXED_BYTES = 16;
/** Addresses take at most 216 bytes; the rest is for extensions, which do not count here. */
const MAX_PROXY_HEADER_BYTES = 4096;

const VERSION = 2;
const LOCAL = 0;
const PROXIED = 1;
const OVER_IPV4 = 0x11;
const OVER_IPV6 = 0x21;

/** A whole header: its length, and the address of the client. */
export interface ProxyHeader {
  readonly bytes: number;
  /** Undefined if the proxy speaks for itself; null if its client has no IP address. */
  readonly source: string | undefined | null;
}

/** The header at the beginning of the bytes of a connection, as far as they have arrived. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | 'incomplete' | 'malformed' {
  const known = Math.min(bytes.length, SIGNATURE.length);
  if (SIGNATURE.compare(bytes, 0, known, 0, known) !== 0) return 'malformed';
  if (bytes.length < FIXED_BYTES) return 'incomplete';
  const [version, command] = [bytes.readUInt8(12) >> 4, bytes.readUInt8(12) & 0x0f];
  const length = FIXED_BYTES + bytes.readUInt16BE(14);
  if (version !== VERSION || command > PROXIED || length > MAX_PROXY_HEADER_BYTES) {
    return 'malformed';
  }
  const family = command === LOCAL ? undefined : bytes.readUInt8(13);
  const least = FIXED_BYTES + addressBytes(family);
  if (length < least) return 'malformed';
  if (bytes.length < length) return 'incomplete';
  return { bytes: length, source: command === LOCAL ? undefined : sourceOf(bytes, family) };
}

/** The bytes of source and destination with their ports. */
function addressBytes(family: number | undefined): number {
  if (family === OVER_IPV4) return 12;
  return family === OVER_IPV6 ? 36 : 0;
}

function sourceOf(bytes: Buffer, family: number | undefined): string | null {
  if (family === OVER_IPV4) return bytes.subarray(FIXED_BYTES, FIXED_BYTES + 4).join('.');
  if (family !== OVER_IPV6) return null;
  const groups = Array.from({ length: 8 }, (_, index) =>
    bytes.readUInt16BE(FIXED_BYTES + 2 * index).toString(16),
  );
  return groups.join(':');
}

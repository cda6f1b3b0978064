/** Where to listen: how the entries of `--listen` and the mode of socket files are read and written. */
import path from 'node:path';
import { isIPv6, isNameOrIPv4, isPlainIPv6 } from '../engine-config/host-text.ts';
import { type Kind, list, type Reading } from './kinds.ts';

/** What a port serves other than plain HTTP: `tls` the same over TLS, `admin` health and metrics alone. */
export type Scheme = 'tls' | 'admin';

/** An address or name of this machine with a port, or a socket file. */
export type ListenAddress =
  | { readonly host: string; readonly port: number; readonly scheme?: Scheme }
  | { readonly path: string };

type Places = {
  readonly host: string;
  readonly port: number;
  readonly listen: readonly ListenAddress[];
};

/** All places, in the order of the listeners. `--host` and `--port` are short for one. */
export const placesOf = ({ host, port, listen }: Places): readonly ListenAddress[] =>
  listen.length > 0 ? listen : [{ host, port }];

export const schemeOf = (
  place: { readonly scheme?: Scheme | undefined } | { readonly path: string },
): Scheme | undefined => ('path' in place ? undefined : place.scheme);

/** The places on which the workers serve: all but those of `admin:`, which the supervisor serves. */
export const workerPlaces = (places: Places): readonly ListenAddress[] =>
  placesOf(places).filter((place) => schemeOf(place) !== 'admin');

/** The kernel takes 107 bytes (unix(7)); the file is created under a name that is 7 longer (unix-listener.ts). */
const longestPathBytes = 100;
const maxPort = 65_535;
const examples = '127.0.0.1:8080, [::1]:8080 or unix:/run/gateway.sock';

/** Several places, separated by commas, or the flag several times. */
export function listenAddresses(): Kind<readonly ListenAddress[]> {
  const words = list(
    '[tls:|admin:]ADDRESS:PORT|unix:PATH',
    'addresses with ports, socket files',
    (word) => {
      const reading = readListenAddress(word);
      return 'fault' in reading ? reading.fault : undefined;
    },
  );
  return {
    ...words,
    read(text) {
      const reading = words.read(text);
      if ('fault' in reading) return reading;
      const readings = reading.value.map(readListenAddress);
      return { value: readings.flatMap((each) => ('value' in each ? [each.value] : [])) };
    },
    join: (parts) => ({ value: parts.flat() }),
    write: (value) => value.map(writeListenAddress).join(','),
  };
}

/** The text that reads back as `address`. */
export function writeListenAddress(address: ListenAddress): string {
  if ('path' in address) return `unix:${address.path}`;
  const { host, port, scheme } = address;
  const prefix = scheme === undefined ? '' : `${scheme}:`;
  return `${prefix}${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

function readListenAddress(word: string): Reading<ListenAddress> {
  if (/[\x00-\x1f\x7f]/.test(word)) return { fault: 'contains control characters' };
  if (word.startsWith('unix:')) return readPath(word);
  const [, prefix, rest] = /^(tls|admin):(.*)$/.exec(word) ?? [];
  if (prefix !== undefined && rest !== undefined) return readScheme(prefix as Scheme, rest);
  const [, host, port] = /^(\[[^[\]]*\]|[^:[\]]*):([^:/]*)$/.exec(word) ?? [];
  if (host === undefined || port === undefined) return { fault: misshapen(word) };
  if (host === '' || host === '*') {
    return {
      fault: `"${word}" names no address; write 127.0.0.1:${port} for this machine alone, or 0.0.0.0:${port} for every IPv4 address of it`,
    };
  }
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  // Only an IPv6 address has brackets.
  const fault = hostFault(host === bare || isIPv6(bare) ? bare : host, examples);
  if (fault !== undefined) return { fault };
  if (!/^\d+$/.test(port) || Number(port) > maxPort) {
    return { fault: `"${word}" has no port from 0 to ${maxPort}; 0 takes any free one` };
  }
  return { value: { host: bare, port: Number(port) } };
}

function readScheme(scheme: Scheme, rest: string): Reading<ListenAddress> {
  if (/^\d*$/.test(rest)) {
    return {
      fault: `"${scheme}:${rest}" has no address; write ${scheme}:127.0.0.1:${rest || '8443'} for this machine alone, or ${scheme}:0.0.0.0:${rest || '8443'} for every IPv4 address of it`,
    };
  }
  if (/^(tls|admin|unix):/.test(rest)) {
    return {
      fault: `"${scheme}:${rest}" has two prefixes; ${scheme}: takes an address with a port, and a socket file always serves plain HTTP`,
    };
  }
  const reading = readListenAddress(rest);
  return 'value' in reading && 'host' in reading.value
    ? { value: { ...reading.value, scheme } }
    : reading;
}

/** The fault of a host, without brackets, with advice. */
export function hostFault(host: string, instead: string): string | undefined {
  if (isPlainIPv6(host) || isNameOrIPv4(host)) return undefined;
  if (!isIPv6(host)) return `"${host}" is neither an address nor a name; write ${instead}`;
  return `"${host}" has a zone, which a URL cannot contain; give another address, or :: for all of this machine`;
}

function readPath(word: string): Reading<ListenAddress> {
  const given = word.slice('unix:'.length);
  if (!/^\/(?!\/)/.test(given)) {
    return {
      fault: `"${word}" has no absolute path; write unix:/run/gateway.sock, with one slash first`,
    };
  }
  if (/\/\.{0,2}$/.test(given)) {
    return { fault: `"${word}" names a directory; name a file in it, which the gateway creates` };
  }
  if (Buffer.byteLength(given) > longestPathBytes) {
    return {
      fault: `"${word}" is longer than the ${longestPathBytes} bytes that the path of a socket may have here`,
    };
  }
  return { value: { path: path.posix.normalize(given) } };
}

/** Advice for a text that does not have the form host:port. */
function misshapen(word: string): string {
  if (/^[a-z][a-z+]*:\/\//i.test(word)) {
    return `"${word}" is a URL; remove the scheme and everything after the port: ${examples}`;
  }
  if (word.includes('/')) {
    const file = word.replace(/^unix:/i, '');
    return `"${word}" is no address; a socket file is written unix:${file}`;
  }
  if (isIPv6(word.replace(/^\[(.*)\]$/, '$1'))) {
    return `"${word}" has no port, or no brackets around the address; write [::1]:8080`;
  }
  if (/^\d+$/.test(word)) return `"${word}" has no address; write 127.0.0.1:${word}`;
  return `"${word}" is no address with a port; write ${examples}`;
}

/** Permissions of a file, in octal. A user must be able to write it to connect. */
export function socketFileMode(): Kind<number> {
  return {
    placeholder: 'MODE',
    accepts: 'three octal digits, with or without a 0 before them',
    read(text) {
      if (!/^(0o?)?[0-7]{3}$/.test(text)) {
        return { fault: `"${text}" is no mode; give three octal digits, such as 0660` };
      }
      const value = Number.parseInt(text.slice(-3), 8);
      if ((value & 0o222) === 0) {
        return {
          fault: `${text} lets no client connect, because a client needs write permission; give 0600, 0660 or 0666`,
        };
      }
      return { value };
    },
    write: (value) => `0${value.toString(8).padStart(3, '0')}`,
  };
}

import { isIP } from 'node:net';
import { ProblemError } from '../../errors/problems.ts';
import { printable } from '../request/query.ts';
import { allowedOrigins } from '../response/cors.ts';

/**
 * Checks the Host and Origin of each request, and the authority of its target where that has one;
 * throws `host-not-allowed`, `origin-not-allowed`, and `malformed-request` unless there is one Host.
 * Returns whether there is an Origin that is allow-listed. `hasToken`: the request has a valid token, so
 * any host is accepted. A page that reaches the gateway through DNS rebinding has no token: browsers never
 * add one by themselves.
 */
export type BrowserGuard = (
  host: string | undefined,
  origin: string | undefined,
  authority?: string,
  hasToken?: boolean,
) => boolean;

/** Verdicts are remembered for this many Host values, since clients repeat theirs on each request. */
const REMEMBERED = 256;

/**
 * Loopback is no protection from a web page: a form POST needs no preflight, and DNS rebinding can
 * read. So Host must be loopback, an IP address or configured, and a cross-origin Origin must be
 * allow-listed.
 */
export function browserGuard(options: {
  allowHosts: readonly string[];
  allowOrigins: readonly string[];
}): BrowserGuard {
  const hosts = new Set(options.allowHosts.map(hostName));
  const allowedOrigin = allowedOrigins(options.allowOrigins);
  const allowed = new Set<string>();
  return (header, origin, authority, hasToken = false) => {
    if (header === undefined) {
      throw new ProblemError('malformed-request', { detail: 'The request has no Host header.' });
    }
    const host = authority ?? header;
    // This is how node:http joins several (joinDuplicateHeaders); no host has a blank in it.
    if (host !== header && header.includes(', ')) throw severalHosts();
    if (!allowed.has(host) && host.includes(', ')) throw severalHosts();
    if (!hasToken && !allowed.has(host)) {
      const name = hostName(host);
      if (
        !(name === 'localhost' || name.endsWith('.localhost') || isAddress(name) || hosts.has(name))
      ) {
        throw new ProblemError('host-not-allowed', {
          detail: `The host '${printable(host)}' is not allowed here; allow it with --allow-host.`,
        });
      }
      if (allowed.size < REMEMBERED) allowed.add(host);
    }
    if (origin === undefined) return false;
    if (allowedOrigin(origin) !== undefined) return true;
    if (sameOrigin(origin, host)) return false;
    throw new ProblemError('origin-not-allowed', {
      detail: `The origin '${printable(origin)}' is not allowed here; allow it with --allow-origin.`,
    });
  };
}

const severalHosts = (): ProblemError =>
  new ProblemError('malformed-request', { detail: 'The request has more than one Host header.' });

const hostName = (host: string): string =>
  host.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');
const isAddress = (name: string): boolean => isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0;

/** Pages of this gateway itself; behind a TLS proxy the scheme differs, so it is not compared. */
const sameOrigin = (origin: string, host: string): boolean => {
  const match = /^https?:\/\/([^/]+)$/i.exec(origin);
  return match?.[1]?.toLowerCase() === host.toLowerCase();
};

import { integer, list, path, text, toggle } from './kinds.ts';
import { listenAddresses, socketFileMode } from './listen.ts';
import { setting } from './setting.ts';

/** What only clients with a token may see, besides everything below /v1/. */
export const protectable = ['metrics', 'docs'] as const;

/** The addresses on which the gateway listens, and the tokens of its clients. */
export const listeningSettings = {
  port: setting(
    'Listening',
    integer(0, 65_535),
    8080,
    'TCP port. 0 takes any free port; the ready line names it.',
  ),
  host: setting(
    'Listening',
    text('ADDRESS', 'an address or name'),
    '127.0.0.1',
    'Address or host name to listen on. Any address but loopback needs --token-file or --insecure.',
  ),
  listen: setting(
    'Listening',
    listenAddresses(),
    [],
    'Addresses or names with ports, and socket files (unix:/run/gateway.sock), to listen on. Replaces --host and --port, which are a short form for one address. All of them serve the same operations.',
  ),
  socketMode: setting(
    'Listening',
    socketFileMode(),
    0o660,
    'Mode of socket files. A process that may write to the file may connect. Owner and group are those of the gateway process.',
  ),
  insecure: setting(
    'Listening',
    toggle(),
    false,
    'Allow addresses other than loopback without --token-file. Every client that can reach them can read, store and remove every object. Operations of the scope admin remain refused there.',
  ),

  tokenFile: setting(
    'Tokens',
    path(),
    undefined,
    'File of bearer tokens (memcache-gateway token create --help). Every request below `/v1/` then needs one. The gateway reads the file again within 2 seconds after a change, and on SIGHUP.',
  ),
  protect: setting(
    'Tokens',
    list('PART,…', protectable.join(', '), partFault),
    [],
    'What else needs a token, with any scope: metrics is `/metrics`; docs is `/docs`, `/openapi.*`, `/problems` and every other page. `/livez` and `/readyz` never need one.',
  ),
};

function partFault(word: string): string | undefined {
  if (protectable.some((part) => part === word)) return undefined;
  return `"${word}" cannot be protected; give some of ${protectable.join(', ')}`;
}

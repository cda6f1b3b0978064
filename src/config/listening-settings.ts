import { integer, list, path, text, toggle } from './kinds.ts';
import { listenAddresses, socketFileMode } from './listen.ts';
import { setting } from './setting.ts';
import { clientScopes } from './tls/client-scopes.ts';

/** What only clients with a token may see, besides everything below /v1/. */
export const protectable = ['metrics', 'docs'] as const;

/** The addresses on which the gateway listens, the tokens of its clients, and certificates. */
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
    'Address or host name to listen on. Any address but loopback needs --token-file or --insecure. For TLS, use --listen.',
  ),
  listen: setting(
    'Listening',
    listenAddresses(),
    [],
    'Addresses or names with ports, and socket files (unix:/run/gateway.sock), to listen on. Replaces --host and --port, which are a short form for one address. All of them serve the same operations: tls:HOST:PORT over TLS, the others over plain HTTP. admin:HOST:PORT serves only `/livez`, `/readyz` and `/metrics`, over plain HTTP and without tokens.',
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
    'Allow addresses other than loopback without --token-file or --tls-client-ca. Every client that can reach them can read, store and remove every object. Operations of the scope admin remain refused there.',
  ),

  tokenFile: setting(
    'Tokens',
    path(),
    undefined,
    'File of bearer tokens (memcache-gateway token create --help). Every request below `/v1/` then needs one, or a client certificate (--tls-client-ca). The gateway reads the file again within 2 seconds after a change, and on SIGHUP.',
  ),
  protect: setting(
    'Tokens',
    list('PART,…', protectable.join(', '), partFault),
    [],
    'What else needs a token, with any scope: metrics is `/metrics`; docs is `/docs`, `/openapi.*`, `/problems` and every other page. `/livez` and `/readyz` never need one. Where --tls-client-ca is given, a client certificate counts as well.',
  ),

  tlsCert: setting(
    'TLS',
    path(),
    undefined,
    'PEM file of the certificate for the listeners with TLS (--listen tls:HOST:PORT), followed by the certificates of its intermediate authorities. The gateway reads this file, --tls-key and --tls-client-ca again within 2 seconds after a change, and on SIGHUP.',
  ),
  tlsKey: setting(
    'TLS',
    path(),
    undefined,
    'PEM file of the private key of --tls-cert, without a passphrase. Only its owner and its group may access it, the group only for reading.',
  ),
  tlsClientCa: setting(
    'TLS',
    path(),
    undefined,
    'PEM file of the authorities of client certificates. A client of a listener with TLS may then present a certificate in the place of a token. Without --token-file, a request below `/v1/` on such a listener needs one.',
  ),
  tlsClientScopes: setting(
    'TLS',
    clientScopes(),
    [],
    'Scopes of client certificates, by the common name (CN) of their subject: CN=name=read,write. Several rules are separated by semicolons, or the flag is given several times. CN=* stands for all certificates without a rule of their own; without it, they have no scope.',
  ),
};

function partFault(word: string): string | undefined {
  if (protectable.some((part) => part === word)) return undefined;
  return `"${word}" cannot be protected; give some of ${protectable.join(', ')}`;
}

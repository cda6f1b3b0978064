import { integer, text, toggle } from './kinds.ts';
import { listenAddresses, socketFileMode } from './listen.ts';
import { setting } from './setting.ts';

/** Where the gateway listens. */
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
    'Address or host name to listen on. Any address but loopback needs --insecure, because clients do not authenticate.',
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
    'Allow addresses other than loopback. Every client that can reach them can read, store and remove every object.',
  ),
};

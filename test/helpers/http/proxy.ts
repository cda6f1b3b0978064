/** A proxy that names its clients with the PROXY protocol, version 2. */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';

/** The address from which it connects. */
export const PROXY_ADDRESS = '127.0.0.9';

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/** A header for a client at 10.0.0.`last`. */
export const proxyHeader = (last: number): Buffer =>
  Buffer.concat([
    signature,
    Buffer.from([0x21, 0x11, 0, 12, 10, 0, 0, last, 127, 0, 0, 1, 0x30, 0x39, 0, 80]),
  ]);

/**
 * Passes connections on to a port of this machine, each as that of a client at 10.0.0.`last`. The bytes of
 * the header from `cut` on are written together with the first bytes of the client.
 */
export async function startProxy(port: number, last: number, cut: number): Promise<net.Server> {
  const header = proxyHeader(last);
  const server = net.createServer((client) => {
    const gateway = net.connect({ port, host: '127.0.0.1', localAddress: PROXY_ADDRESS });
    for (const socket of [client, gateway]) socket.on('error', () => undefined).setNoDelay(true);
    gateway.write(header.subarray(0, cut));
    client.once('data', (chunk: Buffer) => {
      gateway.write(Buffer.concat([header.subarray(cut), chunk]));
      client.pipe(gateway);
    });
    gateway.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

export const portOf = (server: net.Server): number => (server.address() as AddressInfo).port;

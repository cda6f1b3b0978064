/** Connections that a separate listener accepts and passes to an HTTP server, as a worker gets them. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import net, { type AddressInfo } from 'node:net';

export interface PassedConnections {
  /** Opens a connection of a client that may end its side first. */
  connect(): Promise<net.Socket>;
  /** Closes the listener and every connection. */
  close(): Promise<void>;
}

export async function passConnections(server: Server): Promise<PassedConnections> {
  const sockets = new Set<net.Socket>();
  const listener = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    server.emit('connection', socket);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  return {
    async connect() {
      const client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
      sockets.add(client);
      client.on('error', () => undefined);
      await once(client, 'connect');
      return client;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.emit('close');
      server.close();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

/** Resolves with all that a client receives until the server ends its side. */
export async function receiveAll(client: net.Socket): Promise<string> {
  let text = '';
  client.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  await Promise.race([once(client, 'end'), once(client, 'close')]);
  return text;
}

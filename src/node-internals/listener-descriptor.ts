/** The file descriptor of a listening server, which worker processes inherit. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { describeDescriptor } from './descriptor-lookup.ts';
import { nodeFeature } from './node-features.ts';

const feature = nodeFeature('listener-descriptor');

/** Whether workers can inherit the listening sockets of this process. */
export const canShareListeners = (): boolean => feature.enabled;

/** The descriptor of a listening server; undefined where it is unknown. */
export function descriptorOfServer(server: Server): number | undefined {
  return feature.enabled ? read(server) : undefined;
}

function read(server: Server): number | undefined {
  const fd = (server as { _handle?: { readonly fd?: number } | null })._handle?.fd;
  return fd !== undefined && fd >= 0 ? fd : undefined;
}

/** @throws unless a listening server has the descriptor of a socket, and a closed one has none. */
export async function probeListenerDescriptor(): Promise<void> {
  const server = createServer();
  try {
    await once(server.listen({ host: '127.0.0.1', port: 0 }), 'listening');
    const fd = read(server);
    if (fd === undefined || !describeDescriptor(fd).isSocket()) {
      throw new Error('the descriptor is not that of a socket');
    }
  } finally {
    server.close();
  }
  if (read(server) !== undefined) throw new Error('a closed server has a descriptor');
}

import type { Server } from 'node:http';

/**
 * Starts the checks of a server that never listens for slow request heads and idle connections:
 * node:http starts them when a server begins to listen.
 */
export function startConnectionChecks(server: Server): void {
  server.emit('listening');
}

import type { Server } from 'node:http';

/** Lets a client end its side of the connection before it has the response. */
export function allowHalfOpen(server: Server): void {
  (server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
}

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The response that a connection carries at the moment, if any. */
export function currentResponse(socket: Socket): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;
}

import type { IncomingMessage } from 'node:http';
import { problemKinds } from '../../errors/problems.ts';
import { pendingResponses } from '../../node-internals/pending-responses.ts';
import type { Recorded } from '../exchange.ts';
import { requestIdOf } from '../request/request-id.ts';
import { problemOfConnect } from '../security/head.ts';
import type { BrowserGuard } from '../security/host.ts';
import { writeProblem } from './client-error.ts';
import { isClosing } from './linger.ts';

/**
 * Refuses a CONNECT once the responses to earlier requests have been sent, and closes the connection.
 * node:http makes no response for a CONNECT: it detaches its parser and its listeners from the
 * connection, which would become a tunnel, and the gateway has no tunnels. `record` is not called when the
 * connection closes before.
 */
export function refuseConnect(
  req: IncomingMessage,
  guard: BrowserGuard,
  record: (refusal: Recorded) => void,
): void {
  const { socket } = req;
  // node:http handles neither the socket nor its pending responses from here on.
  socket.on('timeout', () => socket.destroy());
  socket.on('drain', () => pendingResponses(socket)[0]?.emit('drain'));
  const begin = (): void => {
    const [earlier] = pendingResponses(socket);
    if (earlier) {
      earlier.once('close', begin);
      return;
    }
    if (socket.destroyed || isClosing(socket)) return;
    const startedMs = performance.now();
    const requestId = requestIdOf(req.headers['x-request-id']);
    const problem = problemOfConnect(req, guard);
    const bytesOut = writeProblem(socket, problem, requestId, req.url);
    record({
      requestId,
      startedMs,
      method: 'CONNECT',
      route: 'other',
      key: '',
      bytesIn: 0,
      bytesOut,
      problem: problem.slug,
      error: undefined,
      res: {
        statusCode: problemKinds[problem.slug].status,
        headersSent: true,
        destroyed: false,
        writableFinished: true,
      },
    });
  };
  begin();
}

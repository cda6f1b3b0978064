import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { nodeFeature } from './node-features.ts';
import { streamPair } from './stream-pair.ts';

const feature = nodeFeature('connection-checks');

/**
 * Has node:http keep a list of the connections of a server that never listens for clients: a
 * request head that takes longer than `headersTimeout` is a `clientError`, and
 * `closeIdleConnections` finds the connections without a request. node:http does so once the server
 * listens, at the latest in the next turn of the event loop; it does not check connections that
 * arrived before.
 * @throws where the temporary folder, which the documented way uses, cannot be written
 */
export function startConnectionChecks(server: Server): void {
  if (feature.enabled) pretendToListen(server);
  else listenUnreachably(server);
}

function pretendToListen(server: Server): void {
  server.emit('listening');
}

/** Listens on a Unix socket that no client can reach, since its name is removed at once. */
function listenUnreachably(server: Server): void {
  const folder = makeFolder();
  try {
    server.listen(path.join(folder, 'unreachable'));
  } finally {
    rmSync(folder, { recursive: true });
  }
  server.unref();
}

function makeFolder(): string {
  try {
    // Only this user may enter the folder (mode 0700).
    return mkdtempSync(path.join(tmpdir(), 'memcache-gateway-'));
  } catch (error) {
    throw new Error(
      `cannot make a folder in ${tmpdir()}, which the gateway needs without the Node feature connection-checks: set TMPDIR to a folder that can be written`,
      { cause: error },
    );
  }
}

const TIMEOUT_CODE = 'ERR_HTTP_REQUEST_TIMEOUT';

/** On a connection of its own, node:http must find a head that never ends. */
export async function probeConnectionChecks(): Promise<void> {
  const [inside, outside] = streamPair();
  const server = createServer({
    headersTimeout: 1,
    requestTimeout: 0,
    connectionsCheckingInterval: 2,
  });
  try {
    const found = new Promise<{ code?: string }>((resolve) => {
      server.once('clientError', resolve);
    });
    pretendToListen(server);
    server.emit('connection', inside);
    outside.write('GET / HTTP/1.1\r\n');
    const { code } = await found;
    if (code !== TIMEOUT_CODE) throw new Error(`a slow head was found as ${String(code)}`);
  } finally {
    inside.destroy();
    outside.destroy();
    server.emit('close');
    // Ends node:http's own interval.
    server.close();
  }
}

/** A connection whose accepting end reads nothing. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';

/** The accepting end and the connecting end, which are closed when the test ends. */
export async function unreadConnection(
  t: TestContext,
  kind: 'TCP' | 'Unix',
): Promise<[inside: net.Socket, outside: net.Socket]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'unread-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
  t.after(() => server.close());
  if (kind === 'TCP') server.listen(0, '127.0.0.1');
  else server.listen(path.join(folder, 'socket'));
  await once(server, 'listening');
  const address = server.address();
  if (address === null) throw new Error('the server does not listen');
  const outside =
    typeof address === 'string'
      ? net.connect({ path: address, allowHalfOpen: true })
      : net.connect({ port: address.port, host: '127.0.0.1', allowHalfOpen: true });
  const [inside] = (await once(server, 'connection')) as [net.Socket];
  t.after(() => {
    inside.destroy();
    outside.destroy();
  });
  return [inside, outside];
}

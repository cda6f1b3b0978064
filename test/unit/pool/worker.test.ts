/** A worker's side of the channel, with the test as its supervisor. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork, type SendHandle } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { interpretConfig } from '../../../src/config.ts';
import { parseCommandLine } from '../../../src/config-flags.ts';
import { handleOf } from '../../../src/node-internals/connection-handle.ts';
import { type ToWorker, workerRole } from '../../../src/pool/protocol.ts';

const file = fileURLToPath(new URL('../../fixtures/pool-worker.ts', import.meta.url));
const request = 'GET /pid HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

let worker: ChildProcess;
let server: net.Server;
before(async () => {
  const interpreted = interpretConfig(parseCommandLine([]), {});
  assert('config' in interpreted);
  server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  worker = fork(file, [workerRole], { execArgv: ['--import', 'tsx'] });
  send({ type: 'start', config: interpreted.config, device: 0, version: 'fake' });
  await said('ready');
});
after(() => {
  worker.kill('SIGKILL');
  server.close();
});

function send(message: ToWorker, socket?: net.Socket): void {
  worker.send(message, socket && (handleOf(socket) as SendHandle | undefined));
}

/** Waits for a message of the worker. */
async function said(type: string): Promise<void> {
  for (;;) {
    const [message] = (await once(worker, 'message')) as [{ type: string }];
    if (message.type === type) return;
  }
}

/** A connection on which a request waits, offered to the worker, which has said that it takes it. */
async function offered(id: number) {
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  await new Promise<void>((resolve) => client.write(request, () => resolve()));
  const [socket] = await accepted;
  send({ type: 'connection', id }, socket);
  await said('taken');
  // The worker's event loop has gone round by then, and would have read what there is.
  send({ type: 'collect', id });
  await said('collected');
  return { client, socket };
}

async function textOf(stream: net.Socket): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

describe('a worker', () => {
  it('serves a connection once it has heard that it is its own', async () => {
    const { client, socket } = await offered(1);
    send({ type: 'yours', id: 1 });
    socket.destroy();
    assert.match(await textOf(client), new RegExp(`^HTTP/1.1 200 OK[^]*${worker.pid}$`));
  });

  it('leaves one alone that is somebody else\u2019s after all', async () => {
    const { client, socket } = await offered(2);
    send({ type: 'returned', id: 2 });
    await said('released');
    // A late word changes nothing.
    send({ type: 'yours', id: 2 });
    const [chunk] = (await once(socket.resume(), 'data')) as [Buffer];
    assert.equal(chunk.toString(), request);
    socket.end('served by another');
    assert.equal(await textOf(client), 'served by another');
  });

  it('lets go of one that nobody decides on any more, and leaves', async () => {
    const { client, socket } = await offered(3);
    worker.disconnect();
    const [code] = (await once(worker, 'exit')) as [number];
    assert.equal(code, 0);
    socket.end();
    assert.equal(await textOf(client), '');
  });
});

/** The worker's side of the channel; the test is its supervisor. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork, type SendHandle } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { interpretConfig } from '../../../src/config/config.ts';
import { parseCommandLine } from '../../../src/config/flags.ts';
import { type ToWorker, workerRole } from '../../../src/messages/protocol.ts';
import { handleOf } from '../../../src/node-internals/connection-handle.ts';
import { testProgram } from '../../helpers/process/programs.ts';

const request = 'GET /pid HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

let worker: ChildProcess;
let server: net.Server;
before(async () => {
  const interpreted = interpretConfig(parseCommandLine([]), {});
  assert('config' in interpreted);
  server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { file, execArgv } = testProgram('pool-worker.ts');
  worker = fork(file, [workerRole], { execArgv });
  send({
    type: 'start',
    config: interpreted.config,
    device: 0,
    listeners: 0,
    tokens: null,
    tls: null,
  });
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

/** A connection with a waiting request, offered to the worker, which has accepted it. */
async function offered(id: number) {
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  await new Promise<void>((resolve) => client.write(request, () => resolve()));
  const [socket] = await accepted;
  send({ type: 'offer', id }, socket);
  await said('accept');
  // The worker's event loop has turned by then, and would have read the bytes.
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
  it('serves a connection after the supervisor has committed it', async () => {
    const { client, socket } = await offered(1);
    send({ type: 'commit', id: 1, tls: false });
    socket.destroy();
    assert.match(await textOf(client), new RegExp(`^HTTP/1.1 200 OK[^]*${worker.pid}$`));
  });

  it('does not read a connection that was revoked', async () => {
    const { client, socket } = await offered(2);
    send({ type: 'revoke', id: 2 });
    await said('released');
    // A late message changes nothing.
    send({ type: 'commit', id: 2, tls: false });
    const [chunk] = (await once(socket.resume(), 'data')) as [Buffer];
    assert.equal(chunk.toString(), request);
    socket.end('served by another');
    assert.equal(await textOf(client), 'served by another');
  });

  it('releases a connection that is never decided, and ends', async () => {
    const { client, socket } = await offered(3);
    worker.disconnect();
    const [code] = (await once(worker, 'exit')) as [number];
    assert.equal(code, 0);
    socket.end();
    assert.equal(await textOf(client), '');
  });
});

describe('a worker that gets an invalid message', () => {
  it('logs it, and ends with a reason if it is the start', async () => {
    const { file, execArgv } = testProgram('pool-worker.ts');
    const child = fork(file, [workerRole], {
      execArgv,
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    const failed: unknown[] = [];
    child.on('message', (message: { type: string }) => {
      if (message.type === 'failed') failed.push(message);
    });
    child.send({ type: 'reconfigure', id: 1, layout: [], logLevel: 'loud', tokens: null });
    child.send(7);
    child.send({ type: 'start', device: 0 });
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 1);
    assert.match(output, /\{"type":"reconfigure"\} the supervisor sent an invalid message/);
    assert.match(output, /\{"type":""\} the supervisor sent an invalid message/);
    assert.match(JSON.stringify(failed), /invalid start message/);
  });
});

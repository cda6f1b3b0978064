import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, it } from 'node:test';
import { listen, lookUp, urlOf } from '../../../../src/supervisor/listeners/listener.ts';
import type {
  ListenError,
  OnConnection,
} from '../../../../src/supervisor/listeners/open-server.ts';
import { until } from '../../../helpers/process/until.ts';

const open = async (host: string, port: number, onConnection: OnConnection = () => {}) =>
  listen(await lookUp({ host, port }), onConnection);

const failure = async (host: string, port: number): Promise<string> => {
  const error = await open(host, port).then(
    (listener) => listener.close(),
    (caught: unknown) => caught as ListenError,
  );
  assert.equal(error?.name, 'ListenError');
  return error.message;
};

describe('a port', () => {
  it('passes on connections of which no byte has been read', async () => {
    const accepted: net.Socket[] = [];
    const listener = await open('127.0.0.1', 0, (socket) => accepted.push(socket));
    const client = net.connect(listener.port);
    client.end('hello');
    await until(() => accepted.length === 1);
    const [socket] = accepted;
    assert(socket);
    assert.equal(socket.bytesRead, 0);
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += String(chunk)));
    socket.resume();
    await until(() => text === 'hello');
    socket.destroy();
    listener.close();
  });

  it('accepts nothing after it is closed, and leaves accepted connections open', async () => {
    const accepted: net.Socket[] = [];
    const listener = await open('127.0.0.1', 0, (socket) => accepted.push(socket));
    const client = net.connect(listener.port);
    await until(() => accepted.length === 1);
    listener.close();
    const late = net.connect(listener.port);
    await assert.rejects(
      new Promise((resolve, reject) => late.once('connect', resolve).once('error', reject)),
      { code: 'ECONNREFUSED' },
    );
    accepted[0]?.end('bye');
    let text = '';
    for await (const chunk of client) text += String(chunk);
    assert.equal(text, 'bye');
  });

  it('says what to do if it cannot be opened', async () => {
    const taken = await open('127.0.0.1', 0);
    assert.match(await failure('127.0.0.1', taken.port), /already in use.*--port$/);
    taken.close();
    assert.match(await failure('192.0.2.1', 0), /192\.0\.2\.1 is not an address of this machine/);
    assert.match(
      await failure('no-such-name.invalid', 0),
      /cannot be resolved; correct --listen or --host/,
    );
  });

  it('is written as an address that can be opened', () => {
    assert.equal(urlOf('127.0.0.1', 80), 'http://127.0.0.1:80');
    assert.equal(urlOf('::1', 8080), 'http://[::1]:8080');
    assert.equal(urlOf('0.0.0.0', 1), 'http://127.0.0.1:1');
    assert.equal(urlOf('::', 1), 'http://[::1]:1');
    assert.equal(urlOf('gateway.example', 1), 'http://gateway.example:1');
  });
});

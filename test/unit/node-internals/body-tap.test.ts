import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { skipBody, tapBody, untapBody } from '../../../src/node-internals/body-tap.ts';
import { setFeature } from '../../../src/node-internals/node-features.ts';

for (const state of ['on', 'failed'] as const) {
  describe(`a tapped body, with the feature ${state}`, () => {
    let server: Server;
    let serve: RequestListener;
    before(async () => {
      setFeature('body-tap', state);
      server = createServer((req, res) => serve(req, res)).listen(0, '127.0.0.1');
      await once(server, 'listening');
    });
    after(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });

    async function connect(): Promise<Socket> {
      const { port } = server.address() as AddressInfo;
      const socket = net.connect({ port, host: '127.0.0.1' });
      await once(socket, 'connect');
      return socket;
    }

    const sized = (body: string): string =>
      `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const inChunks = (body: string): string =>
      `PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n` +
      `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

    it('arrives completely, whether it is already buffered, still missing, or empty', async () => {
      const long = 'x'.repeat(300_000);
      for (const delayed of [false, true]) {
        const bodies: string[] = [];
        const receive = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
          // Some bytes are buffered then: as many as node:http buffers without a reader.
          if (delayed) for (let turn = 0; turn < 5; turn++) await nextTurn();
          let body = '';
          tapBody(req, {
            chunk(chunk) {
              body += chunk.toString();
            },
            end() {
              bodies.push(body);
              res.end();
            },
          });
        };
        serve = (req, res) => void receive(req, res);
        const socket = await connect();
        const sent = [sized('one'), inChunks('two'), sized(''), sized(long), inChunks(long)];
        for (const text of sent) {
          socket.write(text);
          await once(socket, 'data');
        }
        assert.deepEqual(bodies, ['one', 'two', '', long, long]);
        socket.destroy();
      }
    });

    it('is a stream again after the tap is removed', async () => {
      const seen: string[] = [];
      serve = (req, res) => {
        tapBody(req, {
          chunk(chunk) {
            seen.push(`tap ${chunk.length}`);
            untapBody(req);
            req.on('data', (later: Buffer) => seen.push(`data ${later.length}`));
            req.on('end', () => res.end()).resume();
          },
          end: () => assert.fail('somebody else reads it now'),
        });
      };
      const socket = await connect();
      socket.write(sized('abc').slice(0, -2));
      while (seen.length === 0) await nextTurn();
      socket.write('bc');
      await once(socket, 'data');
      assert.deepEqual(seen, ['tap 1', 'data 2']);
      socket.destroy();
    });

    it('is not awaited if none was announced, and the next request arrives as usual', async () => {
      const seen: string[] = [];
      serve = (req, res) => {
        seen.push(`${req.method}`);
        req.on('end', () => seen.push('end'));
        req.on('resume', () => seen.push('resume'));
        if (req.method === 'GET') {
          skipBody(req);
          res.end();
        } else tapBody(req, { chunk: (chunk) => seen.push(`${chunk}`), end: () => res.end() });
      };
      const socket = await connect();
      const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
      for (const text of [get, get, sized('abc'), get]) {
        socket.write(text);
        await once(socket, 'data');
      }
      let answers = '';
      socket.setEncoding('latin1').on('data', (text: string) => {
        answers += text;
      });
      socket.write(get + get + sized('x') + get);
      while (answers.split('HTTP/1.1 200 OK').length < 5) await nextTurn();
      const events = ['end', 'resume'];
      assert.deepEqual(
        // As a stream it has its events.
        state === 'on' ? seen : seen.filter((each) => !events.includes(each)),
        ['GET', 'GET', 'PUT', 'abc', 'GET', 'GET', 'GET', 'PUT', 'x', 'GET'],
        'a body that is none was read',
      );
      socket.destroy();
    });

    it('reports a client that disconnects by close, and by nothing else', async () => {
      let closed = false;
      serve = (req) => {
        tapBody(req, { chunk: () => undefined, end: () => assert.fail('not all has been sent') });
        req.on('close', () => {
          closed = true;
        });
      };
      const socket = await connect();
      socket.write(sized('abc').slice(0, -1));
      await nextTurn();
      socket.resetAndDestroy();
      while (!closed) await nextTurn();
    });
  });
}

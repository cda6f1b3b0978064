import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { allowHalfOpen } from '../../../src/node-internals/half-open.ts';
import { setFeature } from '../../../src/node-internals/node-features.ts';
import { trackResponses } from '../../../src/node-internals/pending-responses.ts';
import {
  type PassedConnections,
  passConnections,
  receiveAll,
} from '../../helpers/http/passed-connections.ts';
import { until } from '../../helpers/process/until.ts';

const LARGE = 'x'.repeat(2_000_000);
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

for (const state of ['on', 'failed', 'disabled'] as const) {
  describe(`a client that ends its side, with half-open ${state}`, { timeout: 30_000 }, () => {
    let server: Server;
    let serve: RequestListener;
    let faults: Error[] = [];
    let connections: PassedConnections;
    before(async () => {
      setFeature('half-open', state);
      server = createServer({ requestTimeout: 0 }, (req, res) => serve(req, res));
      server.on('clientError', (error, socket) => {
        faults.push(error);
        socket.destroy();
      });
      trackResponses(server);
      allowHalfOpen(server);
      connections = await passConnections(server);
    });
    after(() => connections.close());

    /** Resolves when the server knows that the client sends no more. */
    async function ended({ socket }: IncomingMessage): Promise<void> {
      await until(() => socket.readableEnded);
      await nextTurn();
    }

    for (const [what, body] of [
      ['a small', 'small'],
      ['a large', LARGE],
    ] as const) {
      it(`gets ${what} response completely that begins afterwards, and then the end`, async () => {
        serve = (req, res) => void ended(req).then(() => res.end(body));
        const client = await connections.connect();
        client.end(get('/'));
        const received = await receiveAll(client);
        assert.match(received, /^HTTP\/1\.1 200 /);
        assert.equal(received.split('\r\n\r\n')[1], body);
      });
    }

    it('gets the rest of a response that began before', async () => {
      serve = (req, res) => {
        res.writeHead(200, { 'Content-Length': 6 });
        res.write('one');
        void ended(req).then(() => res.end('two'));
      };
      const client = await connections.connect();
      client.write(get('/'));
      await until(() => client.bytesRead > 0);
      client.end();
      assert.ok((await receiveAll(client)).endsWith('\r\n\r\nonetwo'));
    });

    it('gets the responses to all its pipelined requests, in order', async () => {
      serve = (req, res) => void ended(req).then(() => res.end(`response to ${req.url}`));
      const client = await connections.connect();
      client.end(get('/1') + get('/2') + get('/3'));
      const received = await receiveAll(client);
      assert.deepEqual(received.match(/response to \/\d/g), [
        'response to /1',
        'response to /2',
        'response to /3',
      ]);
    });

    it('has its body read completely', async () => {
      serve = (req, res) => {
        let bytes = 0;
        req.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
        });
        req.on('end', () => void ended(req).then(() => res.end(`got ${bytes}`)));
      };
      const client = await connections.connect();
      client.end(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${LARGE.length}\r\n\r\n${LARGE}`);
      assert.ok((await receiveAll(client)).endsWith(`got ${LARGE.length}`));
    });

    it('gets the end at once if no response is pending', async () => {
      serve = (_req, res) => void res.end('whole');
      const fresh = await connections.connect();
      fresh.end();
      assert.equal(await receiveAll(fresh), '');
      const used = await connections.connect();
      used.write(get('/'));
      await once(used, 'readable');
      used.end();
      assert.ok((await receiveAll(used)).endsWith('whole'));
      assert.deepEqual(faults, []);
    });

    it('in the middle of a head or a body has sent a malformed request', async () => {
      let isWhole = false;
      serve = (req) => {
        req.on('error', () => undefined);
        req.on('end', () => {
          isWhole = true;
        });
        req.resume();
      };
      for (const part of [
        'GET / HTTP/1.1\r\nHo',
        'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab',
      ]) {
        faults = [];
        const client = await connections.connect();
        client.end(part);
        await receiveAll(client);
        assert.equal(faults.length, 1, part);
        assert.equal((faults[0] as { code?: string }).code, 'HPE_INVALID_EOF_STATE');
      }
      assert.equal(isWhole, false);
    });
  });
}

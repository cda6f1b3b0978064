import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BodyReceiver } from '../../../../src/http/body/body-receiver.ts';
import type { ChunkSink } from '../../../../src/http/body/body-sink.ts';
import { HeldBytes } from '../../../../src/http/body/held-bytes.ts';
import { createConnectionStates } from '../../../../src/http/connection/connection-state.ts';
import { type Exchange, type Gateway, newExchange } from '../../../../src/http/exchange.ts';
import { setFeature } from '../../../../src/node-internals/node-features.ts';
import { until } from '../../../helpers/process/until.ts';

const KIB = 1024;
const head = (path: string, length: number) =>
  `PUT ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`;

for (const state of ['on', 'failed'] as const) {
  describe(`a held body, with body-tap ${state}`, { timeout: 30_000 }, () => {
    const heldText = new HeldBytes(4 << 20);
    const watch = { begin: () => ({}), pause() {}, resume() {}, end() {} };
    const gateway = { heldText, watch } as unknown as Gateway;
    const bodies = new Map<string, BodyReceiver>();
    const exchanges = new Map<string, Exchange>();
    const received = new Map<string, string>();
    let server: Server;
    let client: Socket;

    before(async () => {
      setFeature('body-tap', state);
      server = createServer((req: IncomingMessage, res) => {
        const path = String(req.url);
        if (req.method === 'GET') return;
        const body = new BodyReceiver(gateway, req).tap();
        bodies.set(path, body);
        const connection = createConnectionStates().of(req.socket);
        exchanges.set(path, newExchange(gateway, req, res, connection, false));
        res.once('finish', () => body.drop());
        res.setHeader('X-Path', path);
        responses.set(path, () => void res.end());
      }).listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
    });
    const responses = new Map<string, () => void>();
    beforeEach(async () => {
      // A connection that is not read does not report that its client has disconnected.
      server.closeAllConnections();
      bodies.clear();
      const { port } = server.address() as AddressInfo;
      client = net.connect({ port, host: '127.0.0.1', noDelay: true });
      client.on('error', () => undefined);
      await until(() => heldText.held === 0);
    });
    after(() => {
      client.destroy();
      server.closeAllConnections();
      server.close();
    });

    const feed = (path: string, changes: Partial<ChunkSink> = {}): void => {
      const sink: ChunkSink = {
        holdsRoom: false,
        write: (chunk) => void received.set(path, (received.get(path) ?? '') + chunk.toString()),
        end: () => responses.get(path)?.(),
        discard: () => undefined,
        ...changes,
      };
      const none = () => undefined;
      const delivery = { sink, digest: undefined, limit: undefined, resolve: none, reject: none };
      bodies.get(path)?.receive(exchanges.get(path) as Exchange, delivery);
    };
    const bytesOf = (path: string) => bodies.get(path)?.receivedBytes ?? 0;

    it('stops reading after another held body whose end is in the same packet', async () => {
      const large = 16 << 20;
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      client.write(head('/b', 20_000) + 'b'.repeat(20_000) + head('/c', large));
      const chunk = 'c'.repeat(1 << 20);
      for (let sent = 0; sent < large; sent += chunk.length) client.write(chunk);
      await until(() => bytesOf('/c') >= 16 * KIB);
      for (let turn = 0; turn < 100; turn++) await nextTurn();
      assert.ok(bytesOf('/c') < 256 * KIB, `${bytesOf('/c')} bytes were read`);
      assert.ok(heldText.held < 512 * KIB, `${heldText.held} bytes are held`);
      assert.ok(client.writableLength > 0, 'the kernel has taken everything');
    });

    it('arrives complete and in order at a consumer that starts late, repeatedly', async () => {
      const text = Array.from({ length: 40_000 }, (_, n) => `${n};`).join('');
      client.write(head('/late', text.length) + text);
      await until(() => bytesOf('/late') >= 16 * KIB);
      let taken = '';
      let ready = (): void => undefined;
      feed('/late', {
        write(chunk) {
          taken += chunk.toString();
          return new Promise((resolve) => {
            ready = resolve;
          });
        },
      });
      while (taken.length < text.length) {
        const before = taken.length;
        ready();
        await until(() => taken.length > before || bytesOf('/late') > taken.length);
      }
      assert.equal(taken, text);
      bodies.get('/late')?.drop();
    });

    it('lets the next request of the connection be read after its end', async () => {
      client.write(head('/first', 20_000) + 'f'.repeat(20_000));
      await until(() => bytesOf('/first') === 20_000);
      feed('/first');
      await until(() => client.bytesRead > 0);
      client.write(head('/second', 20_000) + 's'.repeat(20_000));
      await until(() => bytesOf('/second') === 20_000);
      feed('/second');
      await until(() => heldText.held === 0);
      assert.equal(received.get('/second'), 's'.repeat(20_000));
    });

    it('is discarded when it is dropped, however long it is', async () => {
      client.write(head('/dropped', 1 << 20) + 'd'.repeat(100_000));
      await until(() => bytesOf('/dropped') >= 16 * KIB);
      bodies.get('/dropped')?.drop();
      assert.equal(heldText.held, 0);
      client.write('d'.repeat((1 << 20) - 100_000));
      await until(() => bytesOf('/dropped') === 1 << 20);
      assert.equal(heldText.held, 0);
    });
  });
}

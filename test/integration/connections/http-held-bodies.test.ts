import assert from 'node:assert/strict';
import net, { type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { withBothLanes } from '../../helpers/http/lanes.ts';
import { anonymousBytes } from '../../helpers/memory/process-memory.ts';
import { until } from '../../helpers/process/until.ts';

const MIB = 1 << 20;
const BYTES = 40_000;
const oneByteChunks = '1\r\nx\r\n'.repeat(BYTES);
const chunkedHead = (path: string, more = ''): string =>
  `PUT ${path} HTTP/1.1\r\nHost: localhost\r\n${more}Transfer-Encoding: chunked\r\n\r\n`;
const getBlock = 'GET /v1/objects/block HTTP/1.1\r\nHost: localhost\r\n\r\n';

const WAITER = /^memcache_gateway_arena_waiters(?:\{.*\})? [1-9]/m;
/** Clients that do not read are not cut off, however long the test takes. */
const patience = [
  '--arena-wait-ms',
  '60000',
  '--min-rate-bytes',
  '0',
  '--idle-timeout-ms',
  '120000',
];
const limits = [
  ...patience,
  ...['--arena-bytes', '64MiB', '--pool-bytes', '64MiB', '--size-cache-keys', '0'],
  ...['--batch-json-bytes', '4MiB', '--max-heap-bytes', '112MiB'],
];

describe('bodies in chunks of one byte that must wait', { timeout: 240_000 }, () => {
  withBothLanes({ args: limits }, (running) => {
    const sockets = new Set<Socket>();
    before(async () => {
      const body = Buffer.alloc(8 * MIB, 'b');
      const stored = await fetch(`${running().url}/v1/objects/block`, { method: 'PUT', body });
      assert.equal(stored.status, 201);
    });
    after(() => {
      for (const socket of sockets) socket.destroy();
    });

    async function metrics(): Promise<string> {
      return (await fetch(`${running().url}/metrics`)).text();
    }

    async function heldBytes(): Promise<number> {
      return Number(
        /^memcache_gateway_text_held_bytes(?:\{.*\})? (\d+)$/m.exec(await metrics())?.[1],
      );
    }

    /** Connects and sends, but does not read the response. */
    function send(text: string): Socket {
      const socket = net.connect({ port: running().port, host: '127.0.0.1' });
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.write(text);
      return socket;
    }

    async function read(socket: Socket, complete: (text: string) => boolean): Promise<string> {
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
      });
      await until(() => complete(text), { deadlineMs: 60_000, what: 'the responses' });
      return text;
    }

    it('take less than 4 MiB each behind an unread response, and are counted', async () => {
      const worker = running().workerPid();
      const clients = 32;
      const before = anonymousBytes(worker);
      for (let n = 0; n < clients; n += 1) {
        send(getBlock + chunkedHead(`/v1/objects/flood-${n}`) + oneByteChunks);
      }
      await until(async () => (await heldBytes()) >= clients * 16 * 1024, { deadlineMs: 60_000 });
      const growth = (anonymousBytes(worker) - before) / clients;
      assert.ok(growth < 4 * MIB, `${growth} bytes a client`);
      assert.ok((await heldBytes()) <= clients * 160 * 1024);
      for (const socket of sockets) socket.destroy();
      sockets.clear();
      await until(async () => (await heldBytes()) === 0, { deadlineMs: 60_000 });
      assert.equal(running().workerPid(), worker);
    });

    it('are stored whole once the client has read the response before them', async () => {
      const socket = send(`${getBlock}${chunkedHead('/v1/objects/late')}${oneByteChunks}0\r\n\r\n`);
      await until(async () => (await heldBytes()) >= 16 * 1024, { deadlineMs: 60_000 });
      const text = await read(socket, (all) => all.includes('HTTP/1.1 201'));
      assert.ok(text.startsWith('HTTP/1.1 200'));
      const stored = await (await fetch(`${running().url}/v1/objects/late`)).text();
      assert.equal(stored, 'x'.repeat(BYTES));
      await until(async () => (await heldBytes()) === 0, { deadlineMs: 60_000 });
    });

    it('are stored whole once there is room for them in the arena', async () => {
      // Each upload allocates its block before its first byte arrives.
      const head = `PUT /v1/objects/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${15 * MIB}\r\n\r\n`;
      const slow = Array.from({ length: 5 }, () => send(`${head}x`));
      await until(async () => WAITER.test(await metrics()), {
        deadlineMs: 60_000,
        what: 'a slow upload that waits for room',
      });
      const part = `--b\r\nContent-Disposition: form-data; name="0"\r\n\r\n`;
      const end = '\r\n--b--\r\n';
      const bytes = 4 * MIB;
      const path = `/v1/layers/waiting?sizes=${bytes}`;
      const type = 'Content-Type: multipart/form-data; boundary=b\r\n';
      const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
      const socket = send(
        chunkedHead(path, type) +
          chunk(part) +
          oneByteChunks +
          chunk('y'.repeat(bytes - BYTES)) +
          chunk(end) +
          '0\r\n\r\n',
      );
      await until(async () => (await heldBytes()) >= 16 * 1024, { deadlineMs: 60_000 });
      for (const each of slow) each.destroy();
      await read(socket, (all) => all.includes('HTTP/1.1 201'));
      const stored = await (await fetch(`${running().url}/v1/objects/waiting`)).text();
      assert.equal(stored, 'x'.repeat(BYTES) + 'y'.repeat(bytes - BYTES));
    });
  });
});

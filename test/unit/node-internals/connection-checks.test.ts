import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, it, type TestContext } from 'node:test';
import { setTimeout as elapse } from 'node:timers/promises';
import { startConnectionChecks } from '../../../src/node-internals/connection-checks.ts';
import { setFeature } from '../../../src/node-internals/node-features.ts';
import { pendingResponses, trackResponses } from '../../../src/node-internals/pending-responses.ts';
import { type PassedConnections, passConnections } from '../../helpers/http/passed-connections.ts';
import { until } from '../../helpers/process/until.ts';

const HEAD_MS = 100;
/** While a test prepares its connections, no head counts as slow, however busy the machine is. */
const ARRANGING_MS = 60_000;
const HALF_HEAD = 'GET / HTTP/1.1\r\nHost: a\r\n';
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

for (const state of ['on', 'failed', 'disabled'] as const) {
  describe(`the check of connections, with the feature ${state}`, { timeout: 30_000 }, () => {
    let server: Server;
    let serve: RequestListener;
    let connections: PassedConnections;
    /** The ports of the clients that were too slow. */
    let slow: (number | undefined)[] = [];
    before(async () => {
      setFeature('connection-checks', state);
      const timeouts = { headersTimeout: ARRANGING_MS, requestTimeout: 0, keepAliveTimeout: 0 };
      server = createServer({ ...timeouts, connectionsCheckingInterval: 10 }, (req, res) =>
        serve(req, res),
      );
      server.on('clientError', (error: { code?: string }, socket: Socket) => {
        if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') slow.push(socket.remotePort);
        socket.destroy();
      });
      trackResponses(server);
      startConnectionChecks(server);
      connections = await passConnections(server);
    });
    beforeEach(() => {
      slow = [];
      server.headersTimeout = ARRANGING_MS;
      serve = (_req, res) => void res.end('whole');
    });
    after(() => connections.close());

    /** A closed socket has no port any more. */
    const ports = new WeakMap<Socket, number | undefined>();
    const connect = async (): Promise<Socket> => {
      const client = await connections.connect();
      ports.set(client, client.localPort);
      return client.resume();
    };
    const isSlow = (client: Socket) => slow.includes(ports.get(client));
    const untilSlow = (client: Socket): Promise<void> => {
      server.headersTimeout = HEAD_MS;
      return until(() => isSlow(client), { what: 'a slow head' });
    };

    /** A client that has received a response. */
    async function served(behind = ''): Promise<Socket> {
      const client = await connect();
      client.write(get('/') + behind);
      await until(() => client.bytesRead > 0);
      return client;
    }

    it('finds a client that sends nothing', async () => {
      await untilSlow(await connect());
    });

    it('finds a first head that does not end, also one that arrives byte by byte', async () => {
      const stopped = await connect();
      stopped.write(HALF_HEAD);
      await untilSlow(stopped);
      // The first wait has set the limit.
      const dribbling = await connect();
      for (let sent = 0; !isSlow(dribbling); sent += 1) {
        dribbling.write(sent < HALF_HEAD.length ? HALF_HEAD.charAt(sent) : 'x');
        await elapse(5);
      }
    });

    it('finds a later head that does not end', async () => {
      const client = await served();
      client.write(HALF_HEAD);
      await untilSlow(client);
    });

    it('finds a head that began before the last response, after another byte has arrived', async () => {
      const client = await served(HALF_HEAD);
      client.write('x');
      await untilSlow(client);
    });

    it('finds no client that waits, sends a body, or is idle between two requests', async () => {
      const arrived = new Set<string | undefined>();
      serve = (req, res) => {
        arrived.add(req.url);
        if (req.url === '/resting') res.end('whole');
      };
      server.once('connect', (_req, socket: Socket) => socket.write('tunnel'));
      const [waiting, uploading, resting, tunnel] = await Promise.all(
        [1, 2, 3, 4].map(() => connect()),
      );
      waiting?.write(get('/waiting'));
      uploading?.write('PUT /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\na');
      resting?.write(get('/resting'));
      tunnel?.write('CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n');
      await until(() => [resting, tunnel].every((client) => (client?.bytesRead ?? 0) > 0));
      await until(() => arrived.size === 3);
      // This client comes last, so that there was time to find the others before it.
      const stopped = await connect();
      stopped.write(HALF_HEAD);
      await untilSlow(stopped);
      assert.deepEqual(slow, [ports.get(stopped)]);
      for (const client of [waiting, uploading, resting, tunnel]) client?.destroy();
    });

    describe('during a drain', () => {
      /** The server's side of a client's connection. */
      const accepted: Socket[] = [];
      before(() => server.on('connection', (socket: Socket) => accepted.push(socket)));
      const sideOf = async (client: Socket): Promise<Socket> => {
        const find = () => accepted.find(({ remotePort }) => remotePort === ports.get(client));
        await until(() => find() !== undefined);
        return find() as Socket;
      };
      const hasRead = async (client: Socket): Promise<void> => {
        const side = await sideOf(client);
        await until(() => side.bytesRead === client.bytesWritten);
      };

      it('closes a connection between two requests, but none with a request', async () => {
        serve = (req, res) => {
          if (req.url === '/') res.end('whole');
        };
        const resting = await served();
        const waiting = await connect();
        waiting.write(get('/waiting'));
        const starting = await served();
        starting.write(HALF_HEAD);
        await Promise.all([waiting, starting].map(hasRead));
        const sides = await Promise.all([resting, waiting, starting].map(sideOf));
        await until(() => pendingResponses(sides[1] as Socket).length === 1);
        await until(() => pendingResponses(sides[0] as Socket).length === 0);
        server.closeIdleConnections();
        const closed = sides.map(({ destroyed }) => destroyed);
        assert.deepEqual(closed, [true, false, false]);
        for (const client of [waiting, starting]) client.destroy();
      });

      it('keeps a connection whose next head began before the last response', async () => {
        const client = await served(HALF_HEAD);
        const side = await sideOf(client);
        await hasRead(client);
        await until(() => pendingResponses(side).length === 0);
        server.closeIdleConnections();
        assert.equal(side.destroyed, false);
        client.destroy();
      });
    });
  });
}

describe('the checks of connections', () => {
  function start(t: TestContext): void {
    const server = createServer();
    t.after(() => server.close());
    startConnectionChecks(server);
  }

  it('leave nothing in the temporary folder, and need it only without the feature', (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'checks-'));
    const before = process.env['TMPDIR'];
    t.after(() => {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
      rmSync(folder, { recursive: true });
    });
    process.env['TMPDIR'] = folder;
    setFeature('connection-checks', 'failed');
    start(t);
    assert.deepEqual(readdirSync(folder), []);
    process.env['TMPDIR'] = path.join(folder, 'absent');
    assert.throws(() => start(t), /set TMPDIR to a folder that can be written/);
    setFeature('connection-checks', 'on');
    start(t);
  });
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { startConnectionChecks } from '../../../src/node-internals/connection-checks.ts';
import { setFeature } from '../../../src/node-internals/node-features.ts';
import { streamPair } from '../../../src/node-internals/stream-pair.ts';

describe('the checks of connections', () => {
  // The timers of the checks do not keep the process alive.
  const alive = setInterval(() => undefined, 1000);
  after(() => clearInterval(alive));

  async function startServer(t: TestContext, headersTimeout: number) {
    const server = createServer({
      headersTimeout,
      requestTimeout: 0,
      connectionsCheckingInterval: 5,
    });
    t.after(() => server.close());
    server.on('request', (_req, res) => void res.end('whole'));
    startConnectionChecks(server);
    await nextTurn();
    const connect = () => {
      const [inside, outside] = streamPair();
      t.after(() => {
        inside.destroy();
        outside.destroy();
      });
      server.emit('connection', inside);
      return { inside, outside };
    };
    return { server, connect };
  }

  for (const state of ['on', 'failed'] as const) {
    it(`find a head that takes too long, with the feature ${state}`, async (t) => {
      setFeature('connection-checks', state);
      const { server, connect } = await startServer(t, 20);
      const { outside } = connect();
      outside.write('GET / HTTP/1.1\r\n');
      const [error] = (await once(server, 'clientError')) as [NodeJS.ErrnoException];
      assert.equal(error.code, 'ERR_HTTP_REQUEST_TIMEOUT');
    });

    it(`tell an idle connection from one with a head that has begun, with the feature ${state}`, async (t) => {
      setFeature('connection-checks', state);
      const { server, connect } = await startServer(t, 60_000);
      const [idle, begun] = [connect(), connect()];
      const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
      idle.outside.write(request);
      begun.outside.write(request + request.slice(0, 10));
      await Promise.all([once(idle.outside, 'data'), once(begun.outside, 'data')]);
      server.closeIdleConnections();
      assert.deepEqual([idle.inside.destroyed, begun.inside.destroyed], [true, false]);
    });
  }

  it('leave nothing in the temporary folder, and need it without the feature alone', async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'checks-'));
    const before = process.env['TMPDIR'];
    t.after(() => {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
      rmSync(folder, { recursive: true });
    });
    process.env['TMPDIR'] = folder;
    setFeature('connection-checks', 'failed');
    await startServer(t, 20);
    assert.deepEqual(readdirSync(folder), []);
    process.env['TMPDIR'] = path.join(folder, 'absent');
    await assert.rejects(startServer(t, 20), /set TMPDIR to a folder that can be written/);
    setFeature('connection-checks', 'on');
    await startServer(t, 20);
  });
});

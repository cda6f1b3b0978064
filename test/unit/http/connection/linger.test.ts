import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { after, describe, it, mock } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { announceLast } from '../../../../src/http/connection/last-request.ts';
import { discardRequest, lingerClose } from '../../../../src/http/connection/linger.ts';
import { closeConnections } from '../../../../src/node-internals/linger-close.ts';
import { setFeature } from '../../../../src/node-internals/node-features.ts';
import {
  type PassedConnections,
  passConnections,
  receiveAll,
} from '../../../helpers/http/passed-connections.ts';
import { until } from '../../../helpers/process/until.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const LAST_GET = GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
/** More than one read returns, with some margin. */
const MAX_FOUND = 10_000;
const SENT = 100_000;

for (const state of ['on', 'failed'] as const) {
  describe(`discarded requests, with parser-removal ${state}`, { timeout: 30_000 }, () => {
    let connections: PassedConnections | undefined;
    after(() => connections?.close());

    it('create few objects, however many requests a client sends', async () => {
      for (const feature of ['parser-removal', 'parser-pause'] as const) setFeature(feature, state);
      let found = 0;
      const server = createServer((req) => {
        found += 1;
        discardRequest(req);
      });
      connections = await passConnections(server);
      const client = await connections.connect();
      let isWritten = false;
      client.write(GET.repeat(SENT), () => {
        isWritten = true;
      });
      await until(() => found > 0);
      if (state === 'on') await until(() => isWritten);
      for (let turn = 0; turn < 200; turn += 1) await nextTurn();
      assert.ok(found < MAX_FOUND, `${found} requests were found`);
    });
  });
}

describe('a client that has announced its last request', { timeout: 30_000 }, () => {
  let connections: PassedConnections | undefined;
  let inside: Socket | undefined;
  after(() => connections?.close());

  it('is disconnected when it neither sends nor ends its side', async () => {
    setFeature('linger-close', 'on');
    const server = createServer((req, res) => {
      announceLast(req);
      inside = req.socket;
      res.end('whole');
    });
    closeConnections(server, { close: lingerClose, defer: () => false });
    connections = await passConnections(server);
    const client = await connections.connect();
    client.write(LAST_GET);
    assert.ok((await receiveAll(client)).endsWith('whole'));
    assert.equal(inside?.destroyed, false);
    await until(() => inside?.destroyed === true);
  });

  it('is disconnected after 30 s although it sends empty lines', async () => {
    assert.ok(connections !== undefined);
    const client = await connections.connect();
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      client.write(LAST_GET);
      assert.ok((await receiveAll(client)).endsWith('whole'));
      const socket = inside;
      assert.ok(socket !== undefined);
      client.write('\r\n');
      while (socket.bytesRead < LAST_GET.length + 2) await nextTurn();
      mock.timers.tick(29_999);
      assert.equal(socket.destroyed, false);
      mock.timers.tick(1);
      assert.equal(socket.destroyed, true);
    } finally {
      mock.timers.reset();
    }
  });
});

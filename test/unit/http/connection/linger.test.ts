import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { after, describe, it } from 'node:test';
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
  after(() => connections?.close());

  it('is disconnected when it neither sends nor ends its side', async () => {
    setFeature('linger-close', 'on');
    let inside: Socket | undefined;
    const server = createServer((req, res) => {
      announceLast(req);
      inside = req.socket;
      res.end('whole');
    });
    closeConnections(server, { close: lingerClose, defer: () => false });
    connections = await passConnections(server);
    const client = await connections.connect();
    client.write(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    assert.ok((await receiveAll(client)).endsWith('whole'));
    assert.equal(inside?.destroyed, false);
    await until(() => inside?.destroyed === true);
  });
});

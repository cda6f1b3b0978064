import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Closing,
  closeConnections,
  probeLingerClose,
} from '../../../src/node-internals/linger-close.ts';
import { setFeature } from '../../../src/node-internals/node-features.ts';
import { streamPair } from '../../../src/node-internals/stream-pair.ts';
import {
  type PassedConnections,
  passConnections,
  receiveAll,
} from '../../helpers/http/passed-connections.ts';
import { until } from '../../helpers/process/until.ts';

const LAST = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

describe('the probe of linger-close', () => {
  it('passes on this Node', () => probeLingerClose());

  it('fails if node:http closes the connection by itself', async () => {
    const pair = streamPair();
    Object.defineProperty(pair[0], 'destroySoon', { get: () => undefined, set: () => undefined });
    await assert.rejects(
      probeLingerClose(() => pair),
      /node:http closed a connection by itself/,
    );
    assert.ok(pair.every(({ destroyed }) => destroyed));
  });
});

describe('closeConnections', { timeout: 30_000 }, () => {
  let connections: PassedConnections | undefined;
  afterEach(() => connections?.close());

  async function connect(state: 'on' | 'failed', closing: Closing): Promise<Socket> {
    setFeature('linger-close', state);
    const server: Server = createServer((_req, res) => res.end('whole'));
    closeConnections(server, closing);
    connections = await passConnections(server);
    return connections.connect();
  }

  it('lets the gateway close after the last response, and nothing before', async () => {
    const closed: Socket[] = [];
    const client = await connect('on', {
      close: (socket) => closed.push(socket),
      defer: () => assert.fail('the feature is on'),
    });
    client.write(LAST.replace('close', 'keep-alive'));
    await until(() => client.bytesRead > 0);
    assert.equal(closed.length, 0);
    client.write(LAST);
    await until(() => closed.length === 1);
    await nextTurn();
    assert.equal(closed[0]?.destroyed, false);
    assert.equal(closed[0]?.writableEnded, false);
  });

  it('without the feature, ends our side when the deferred end is called', async () => {
    let end: (() => void) | undefined;
    const client = await connect('failed', {
      close: () => assert.fail('the feature is off'),
      defer: (_socket, given) => {
        end = given;
        return true;
      },
    });
    let received = '';
    client.setEncoding('latin1').on('data', (text: string) => {
      received += text;
    });
    client.write(LAST);
    await until(() => received.endsWith('whole') && end !== undefined);
    await nextTurn();
    assert.equal(client.readableEnded, false);
    end?.();
    await until(() => client.readableEnded);
  });

  it('without the feature, closes at once if nothing is deferred', async () => {
    const client = await connect('failed', {
      close: () => assert.fail('the feature is off'),
      defer: () => false,
    });
    client.write(LAST);
    assert.ok((await receiveAll(client)).endsWith('whole'));
  });

  it('without the feature, defers nothing for a client that has ended its side', async () => {
    const client = await connect('failed', {
      close: () => assert.fail('the feature is off'),
      defer: () => assert.fail('nothing can arrive'),
    });
    client.end();
    assert.equal(await receiveAll(client), '');
  });
});

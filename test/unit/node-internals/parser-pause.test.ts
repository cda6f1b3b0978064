import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import { after, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFeature } from '../../../src/node-internals/node-features.ts';
import { pauseParser, probeParserPause } from '../../../src/node-internals/parser-pause.ts';
import { socketPair } from '../../../src/os/socket-pair.ts';
import { type PassedConnections, passConnections } from '../../helpers/http/passed-connections.ts';
import { until } from '../../helpers/process/until.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('the probe of parser-pause', () => {
  it('passes on this Node', () => probeParserPause(socketPair));

  it('fails if node:http ignores the event', async () => {
    const [inside, outside] = socketPair();
    const emit = inside.emit.bind(inside) as (event: string, ...given: unknown[]) => boolean;
    inside.emit = (event: string, ...given: unknown[]) =>
      event === 'pause' ? false : emit(event, ...given);
    await assert.rejects(
      probeParserPause(() => [inside, outside]),
      /a stopped connection was read/,
    );
    assert.ok(inside.destroyed && outside.destroyed);
  });
});

for (const state of ['on', 'failed'] as const) {
  describe(`pauseParser, with parser-pause ${state}`, { timeout: 30_000 }, () => {
    let connections: PassedConnections | undefined;
    after(() => connections?.close());

    it('stops reading a connection, which resumes', async () => {
      setFeature('parser-pause', state);
      const requests: IncomingMessage[] = [];
      const server = createServer((req) => requests.push(req));
      connections = await passConnections(server);
      const client = await connections.connect();
      client.write(GET);
      await until(() => requests.length === 1);
      const socket = requests[0]?.socket;
      assert.ok(socket !== undefined);
      await nextTurn();
      pauseParser(socket);
      // The stream is already paused: only with the feature there is something to do.
      pauseParser(socket);
      client.write(GET);
      await until(() => client.bytesWritten === 2 * GET.length);
      for (let turn = 0; turn < 5; turn += 1) await nextTurn();
      assert.equal(requests.length, 1);
      socket.resume();
      await until(() => requests.length === 2);
    });
  });
}

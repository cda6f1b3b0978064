import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, describe, it } from 'node:test';
import { setFeature } from '../../../src/node-internals/node-features.ts';
import { probeParserRemoval, takeParserOff } from '../../../src/node-internals/parser-removal.ts';
import { streamPair } from '../../../src/node-internals/stream-pair.ts';
import { socketPair } from '../../../src/os/socket-pair.ts';
import { type PassedConnections, passConnections } from '../../helpers/http/passed-connections.ts';
import { until } from '../../helpers/process/until.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('the probe of parser-removal', () => {
  for (const [what, pair] of Object.entries({ streams: streamPair, sockets: socketPair })) {
    it(`passes on this Node, with ${what}`, () => probeParserRemoval(pair));

    it(`fails if the parser still gets the bytes, with ${what}`, async () => {
      const [inside, outside] = pair();
      inside.removeAllListeners = () => inside;
      await assert.rejects(
        probeParserRemoval(() => [inside, outside]),
        /the parser found another request/,
      );
      assert.ok(inside.destroyed && outside.destroyed);
    });
  }
});

for (const state of ['on', 'failed'] as const) {
  describe(`takeParserOff, with parser-removal ${state}`, { timeout: 30_000 }, () => {
    let connections: PassedConnections | undefined;
    after(() => connections?.close());

    it('passes on every later byte, also for a connection that was not read', async () => {
      setFeature('parser-removal', state);
      let requests = 0;
      let bytes = 0;
      let isOff: boolean | undefined;
      const server = createServer((req) => {
        requests += 1;
        req.resume();
        if (requests > 1) return;
        req.socket.pause();
        setImmediate(() => {
          isOff = takeParserOff(req.socket, (more) => {
            bytes += more;
          });
        });
      });
      // Without a listener node:http closes the connection.
      server.on('clientError', () => undefined);
      connections = await passConnections(server);
      const client = await connections.connect();
      client.write(GET);
      await until(() => isOff !== undefined);
      assert.equal(isOff, state === 'on');
      const behind = GET.repeat(3) + 'x'.repeat(1_000_000);
      client.write(behind);
      await until(() => bytes === behind.length);
      assert.equal(requests, state === 'on' ? 1 : 4);
    });
  });
}

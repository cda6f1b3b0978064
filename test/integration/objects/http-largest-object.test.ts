/**
 * The largest object that the gateway can be configured to accept. The test sends only its first
 * bytes: all of them would take 4 GiB of the arena, 4 GiB of /dev/shm, and ten seconds.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { onConnection, requestHead, slugOf } from '../../helpers/http/raw-connection.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { metric, untilIdle, usedBytes } from '../../helpers/process/metrics.ts';
import { until } from '../../helpers/process/until.ts';

const most = 2 ** 32;

describe('an object of 4 GiB', () => {
  let gateway: ReadyGateway;
  before(async () => {
    gateway = await startGateway({
      args: [
        ...['--max-object-bytes', '4GiB', '--arena-bytes', '4GiB', '--pool-bytes', '5GiB'],
        '--allow-huge-objects',
      ],
      // Poisoning would touch every page of the block.
      env: { GATEWAY_DEBUG_ARENA: 'off' },
    });
  });
  after(() => gateway.kill());

  it('is admitted with a block for all of it, which is released when the client disconnects', async () => {
    await onConnection(gateway.port, async ({ send, next, socket }) => {
      const headers = { 'Content-Length': most, Expect: '100-continue' };
      send(requestHead('PUT', '/v1/objects/largest', headers));
      assert.equal((await next()).status, 100);
      send('the first bytes');
      await until(async () => (await metric(gateway.url, usedBytes)) === most);
      socket.destroy();
    });
    await untilIdle(gateway.url);
  });

  it('gets 413 with one byte more', () =>
    onConnection(gateway.port, async ({ send, next }) => {
      const path = '/v1/objects/larger';
      send(requestHead('PUT', path, { 'Content-Length': most + 1, Expect: '100-continue' }));
      const answer = await next({ method: 'PUT', path });
      assert.equal(answer.status, 413);
      assert.equal(slugOf(answer), 'object-too-large');
    }));
});

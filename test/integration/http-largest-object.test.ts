/**
 * The largest object that the gateway can be told to take, up to where its bytes would have to come:
 * all of them take 4 GiB of the arena, as much of /dev/shm, and ten seconds.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ReadyGateway, startGateway } from '../helpers/gateway.ts';
import { metric, untilIdle, usedBytes } from '../helpers/metrics.ts';
import { onConnection, requestHead, slugOf } from '../helpers/raw-connection.ts';
import { until } from '../helpers/until.ts';

const most = 2 ** 32;

describe('an object of 4 GiB', () => {
  let gateway: ReadyGateway;
  before(async () => {
    gateway = await startGateway({
      args: [
        ...['--max-object-bytes', '4GiB', '--arena-bytes', '4GiB', '--pool-bytes', '5GiB'],
        '--allow-huge-objects',
      ],
      // Poison would touch every page of its block.
      env: { GATEWAY_DEBUG_ARENA: 'off' },
    });
  });
  after(() => gateway.kill());

  it('is admitted with room for all of it, which is free again when its client goes', async () => {
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

  it('is refused when it has one byte more', () =>
    onConnection(gateway.port, async ({ send, next }) => {
      const path = '/v1/objects/larger';
      send(requestHead('PUT', path, { 'Content-Length': most + 1, Expect: '100-continue' }));
      const answer = await next({ method: 'PUT', path });
      assert.equal(answer.status, 413);
      assert.equal(slugOf(answer), 'object-too-large');
    }));
});

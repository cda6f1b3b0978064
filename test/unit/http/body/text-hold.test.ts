import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { ProblemError } from '../../../../src/errors/problems.ts';
import { TextHold, withTextHold } from '../../../../src/http/body/text-hold.ts';
import { type ExchangeServer, startExchanges } from '../../../helpers/http/exchanges.ts';
import { requestHead } from '../../../helpers/http/raw-connection.ts';
import { until } from '../../../helpers/process/until.ts';

const slugOf = (error: unknown) => (error instanceof ProblemError ? error.slug : String(error));

describe('a hold on the text budget', { timeout: 20_000 }, () => {
  let server: ExchangeServer;
  const held = () => server.gateway.heldText.held;
  before(async () => {
    server = await startExchanges({ batchJsonBytes: 25_000 });
  });
  after(() => server.close());

  it('reserves, returns and releases each byte once', async () => {
    const holdOf = () => new TextHold(server.gateway.heldText, {} as never);
    const hold = holdOf();
    hold.take(40_000);
    hold.giveBack(10_000);
    assert.deepEqual([hold.bytes, held()], [30_000, 30_000]);
    const other = holdOf();
    other.take(50_000);
    assert.throws(
      () => other.take(1),
      (error) => slugOf(error) === 'batch-too-large',
    );
    assert.throws(
      () => holdOf().take(20_001),
      (error) => slugOf(error) === 'arena-full',
    );
    hold.release();
    hold.release();
    hold.giveBack(10);
    hold.take(1000);
    assert.equal(held(), 50_000);
    other.release();
    assert.equal(held(), 0);
  });

  it('charges small amounts in steps of 16 KiB', () => {
    const hold = new TextHold(server.gateway.heldText, {} as never);
    for (let n = 0; n < 16; n++) hold.count(1023);
    assert.equal(held(), 0);
    hold.count(16);
    assert.equal(held(), 16_384);
    hold.release();
    assert.equal(held(), 0);
  });

  it('lasts until the response is sent, and until the engine calls of a failed request have returned', async () => {
    let returned = (): void => undefined;
    const calls = new Promise<void>((resolve) => {
      returned = resolve;
    });
    for (const way of ['success', 'abort', 'failure'] as const) {
      const served = new Promise<() => void>((resolve) => {
        server.serve = (exchange) =>
          withTextHold(
            exchange,
            async (hold) => {
              hold.take(500);
              if (way === 'failure') throw new Error('a defect');
              exchange.res.write('some');
              resolve(() => exchange.res.end());
            },
            () => calls,
          ).catch(() => {
            exchange.res.end();
            resolve(returned);
          });
      });
      const socket = await server.connect();
      socket.resume();
      socket.write(requestHead('GET', '/'));
      const end = await served;
      if (way !== 'failure') await once(socket, 'data');
      assert.equal(held(), 500, way);
      if (way === 'abort') socket.destroy();
      else end();
      await until(() => held() === 0);
      socket.destroy();
    }
  });
});

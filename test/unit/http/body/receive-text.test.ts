import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { ClientGoneError } from '../../../../src/errors/client-gone.ts';
import { ProblemError } from '../../../../src/errors/problems.ts';
import { bodyTooLarge, receiveText } from '../../../../src/http/body/receive-text.ts';
import { withTextHold } from '../../../../src/http/body/text-hold.ts';
import { type ExchangeServer, startExchanges } from '../../../helpers/http/exchanges.ts';
import { chunked, requestHead } from '../../../helpers/http/raw-connection.ts';
import { until } from '../../../helpers/process/until.ts';

const most = 100_000;
const slugOf = (error: unknown) => (error instanceof ProblemError ? error.slug : String(error));

describe('receiveText', { timeout: 20_000 }, () => {
  let server: ExchangeServer;
  const sockets: Socket[] = [];
  before(async () => {
    server = await startExchanges({ batchJsonBytes: most });
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    await server.close();
  });

  /** Sends a request; returns the received text, or the error. */
  async function send(request: Uint8Array | string, use = async (_text: Buffer) => {}) {
    const state: { text?: Buffer; error?: unknown; over?: boolean; socket: Socket } = {
      socket: await server.connect(),
    };
    sockets.push(state.socket);
    server.serve = (exchange) =>
      withTextHold(exchange, async (hold) => {
        const text = await receiveText(exchange, hold, undefined);
        state.text = Buffer.from(text);
        return use(text);
      })
        .catch((error: unknown) => {
          state.error = error;
        })
        .finally(() => {
          state.over = true;
          exchange.res.end();
        });
    state.socket.write(request);
    return state;
  }
  const over = (state: { over?: boolean }) => until(() => state.over === true);
  const { stringify } = JSON;
  const textOf = (bytes: number) => Buffer.from(stringify('x'.repeat(bytes - 2)));
  const sized = (text: Buffer) =>
    Buffer.concat([Buffer.from(requestHead('POST', '/', { 'Content-Length': text.length })), text]);
  const unsized = (...pieces: Buffer[]) =>
    Buffer.concat([
      Buffer.from(requestHead('POST', '/', { 'Transfer-Encoding': 'chunked' })),
      chunked(...pieces),
    ]);

  it('receives the whole text up to the limit, with or without Content-Length', async () => {
    for (const bytes of [2, 16 * 1024, 16 * 1024 + 1, 70_000, most]) {
      for (const frame of [sized, unsized]) {
        const text = textOf(bytes);
        let held = 0;
        const state = await send(frame(text), async () => {
          held = server.gateway.heldText.held;
        });
        await over(state);
        assert.equal(state.error, undefined);
        assert.ok(state.text?.equals(text));
        assert.ok(held >= bytes && held <= most, `${held} bytes are held for ${bytes}`);
        assert.equal(server.gateway.heldText.held, 0);
      }
    }
    const none = await send(requestHead('POST', '/'));
    await over(none);
    assert.equal(none.text?.length, 0);
  });

  it('refuses one byte more, before the body is read if the length is announced', async () => {
    const announced = await send(requestHead('POST', '/', { 'Content-Length': most + 1 }));
    await over(announced);
    assert.equal(slugOf(announced.error), 'batch-too-large');
    const grown = await send(unsized(textOf(most), Buffer.from(' ')));
    await over(grown);
    assert.equal(slugOf(grown.error), 'batch-too-large');
    assert.equal(grown.text, undefined);
    assert.equal(server.gateway.heldText.held, 0);
    assert.deepEqual(bodyTooLarge(7).options.members, { limitBytes: 7 });
  });

  it('refuses when others hold the whole budget, also in the middle of a growing text', async () => {
    const { heldText } = server.gateway;
    heldText.take(4 * most - 20_000);
    const announced = await send(sized(textOf(20_001)));
    await over(announced);
    assert.equal(slugOf(announced.error), 'arena-full');
    const text = textOf(21_000);
    const grown = await send(unsized(text.subarray(0, 10_000), text.subarray(10_000)));
    await over(grown);
    assert.equal(slugOf(grown.error), 'arena-full');
    assert.equal(heldText.held, 4 * most - 20_000);
    heldText.giveBack(heldText.held);
  });

  it('holds memory only for the received text, not for the announced length', async () => {
    const { heldText } = server.gateway;
    const text = textOf(most);
    const state = await send(sized(text).subarray(0, 1000));
    await until(() => heldText.held > 0);
    assert.equal(heldText.held, 16 * 1024);
    state.socket.write(sized(text).subarray(1000, 50_000));
    await until(() => heldText.held > 16 * 1024);
    assert.ok(heldText.held < most, `${heldText.held} bytes`);
    state.socket.write(sized(text).subarray(50_000));
    await over(state);
    assert.ok(state.text?.equals(text));
    assert.equal(heldText.held, 0);
  });

  it('holds nothing for a body before its first byte', async () => {
    const state = await send(requestHead('POST', '/', { 'Content-Length': most }));
    await until(() => server.watched.size === 1);
    assert.equal(server.gateway.heldText.held, 0);
    state.socket.destroy();
    await over(state);
  });

  it('holds nothing after the client has disconnected, or after the text could not be used', async () => {
    const { heldText } = server.gateway;
    const leaving = await send(sized(textOf(5000)).subarray(0, -1));
    await until(() => heldText.held === 5000);
    leaving.socket.destroy();
    await over(leaving);
    assert.ok(leaving.error instanceof ClientGoneError);
    assert.equal(heldText.held, 0);
    const defect = new TypeError('a defect');
    const failing = await send(sized(textOf(10)), () => Promise.reject(defect));
    await over(failing);
    assert.equal(failing.error, defect);
    assert.equal(heldText.held, 0);
  });
});

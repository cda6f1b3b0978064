import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { BodyWriter } from '../../../src/http/body-writer.ts';
import type { Exchange } from '../../../src/http/exchange.ts';
import { ClientGoneError } from '../../../src/store/client-gone.ts';
import { type ExchangeServer, startExchanges } from '../../helpers/exchanges.ts';
import { until } from '../../helpers/until.ts';

const mebibyte = 1 << 20;
/** More than the kernel takes of a client that does not read. */
const floodBytes = 24 * mebibyte;
const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('BodyWriter', { timeout: 20_000 }, () => {
  let server: ExchangeServer;
  const sockets: Socket[] = [];
  before(async () => {
    server = await startExchanges();
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    await server.close();
  });

  /** A request that is being answered; `length` is promised, or the body comes chunked. */
  async function begin(length?: number) {
    const state: { socket: Socket; writer?: BodyWriter; exchange?: Exchange } = {
      socket: await server.connect(),
    };
    sockets.push(state.socket);
    state.socket.pause();
    server.serve = (gateway, exchange) => {
      const headers = length === undefined ? [] : ['Content-Length', String(length)];
      state.exchange = exchange;
      state.writer = new BodyWriter(gateway, exchange, 200, headers);
    };
    state.socket.write(get);
    await until(() => state.writer !== undefined);
    const { socket, writer, exchange } = state as Required<typeof state>;
    let received = Buffer.alloc(0);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
    socket.pause();
    return {
      socket,
      writer,
      exchange,
      /** The body, once so much of the answer has come as its head promises. */
      async body(): Promise<Buffer> {
        socket.resume();
        await until(() => {
          received = Buffer.concat([received, ...chunks.splice(0)]);
          return received.length - received.indexOf('\r\n\r\n') - 4 === length;
        });
        return received.subarray(received.indexOf('\r\n\r\n') + 4);
      },
      closed: () => until(() => exchange.ended),
    };
  }

  /** Notes how often each was called. */
  function calls() {
    const made: string[] = [];
    return { made, of: (name: string) => () => void made.push(name) };
  }

  it('sends pieces in their order, whatever their length, and calls each once when it has left', async () => {
    const sizes = [1, 0, 3 * mebibyte + 1, 0, 0, mebibyte, 70_000, 0];
    const pieces = sizes.map((size, i) => Buffer.alloc(size, i + 1));
    const whole = Buffer.concat(pieces);
    const { writer, body, exchange, closed } = await begin(whole.length);
    const { made, of } = calls();
    for (const [i, piece] of pieces.entries()) writer.write(piece, of(String(i)));
    writer.afterwards(of('all'));
    writer.end();
    assert.ok((await body()).equals(whole));
    await closed();
    assert.deepEqual(made, ['0', '1', '2', '3', '4', '5', '6', '7', 'all']);
    assert.equal(exchange.bytesOut, whole.length);
    assert.equal(writer.backlog, 0);
    assert.equal(server.watched.size, 0);
  });

  it('sends a body whose length is not promised in chunks', async () => {
    const { writer, socket, closed } = await begin();
    let text = '';
    socket.setEncoding('latin1').on('data', (some: string) => {
      text += some;
    });
    writer.write(Buffer.from('one '));
    writer.write(Buffer.from('two'));
    writer.end();
    socket.resume();
    await until(() => text.endsWith('\r\n0\r\n\r\n'));
    assert.match(text, /one (?:\r\n3\r\n)?two/);
    await closed();
  });

  it('calls what is to follow nothing at once', async () => {
    const { writer, body } = await begin(0);
    const { made, of } = calls();
    writer.afterwards(of('after nothing'));
    writer.write(new Uint8Array(0), of('no bytes'));
    assert.deepEqual(made, ['after nothing', 'no bytes']);
    writer.end();
    await body();
  });

  it('keeps what a client does not read, and goes on when it does', async () => {
    const { writer, body, exchange } = await begin(floodBytes);
    const { made, of } = calls();
    const piece = Buffer.alloc(floodBytes / 3, 'x');
    for (const name of ['a', 'b', 'c']) writer.write(piece, of(name));
    writer.afterwards(of('all'));
    let drained = false;
    const draining = writer.drained(0).then(() => {
      drained = true;
    });
    await until(() => exchange.res.writableNeedDrain);
    assert.ok(writer.backlog > 4 * mebibyte);
    assert.ok(!made.includes('c'));
    assert.equal(drained, false);
    assert.equal(server.watched.size, 1);
    await Promise.all([draining, body()]);
    assert.deepEqual(made, ['a', 'b', 'c', 'all']);
    // Nothing is to be read: the client is held to nothing.
    assert.equal(server.watched.size, 0);
    writer.end();
  });

  it('is one transfer to its end, which is paused while there is nothing to read', async () => {
    const { writer, socket, closed } = await begin(2 * mebibyte);
    socket.resume();
    writer.write(Buffer.alloc(mebibyte));
    await until(() => server.watched.size === 1);
    const [transfer] = server.watched;
    await writer.drained(0);
    assert.equal(server.watched.size, 0);
    await until(() => (transfer?.measure?.() ?? 0) >= mebibyte);
    writer.write(Buffer.alloc(mebibyte));
    await until(() => server.watched.size === 1);
    assert.deepEqual([...server.watched], [transfer]);
    // Both pieces count, the one before the pause and the one behind it.
    await until(() => (transfer?.measure?.() ?? 0) >= 2 * mebibyte);
    writer.end();
    await closed();
    assert.equal(server.watched.size, 0);
  });

  it('tells each who waits as soon as little enough is left', async () => {
    const { writer, body } = await begin(floodBytes);
    await writer.drained(0);
    writer.write(Buffer.alloc(floodBytes));
    await writer.drained(floodBytes);
    const order: number[] = [];
    const waits = [0, mebibyte, 5 * mebibyte].map(async (bytes) => {
      await writer.drained(bytes);
      assert.ok(writer.backlog <= bytes);
      order.push(bytes);
    });
    await Promise.all([...waits, body()]);
    assert.deepEqual(order, [5 * mebibyte, mebibyte, 0]);
    writer.end();
  });

  for (const how of ['the client goes away', 'the watch finds it too slow'] as const) {
    it(`lets go of everything once, and of its waiters, when ${how}`, async () => {
      const { writer, socket, exchange, closed } = await begin(floodBytes);
      const { made, of } = calls();
      for (const name of ['a', 'b', 'c', 'd']) {
        writer.write(Buffer.alloc(floodBytes / 4), of(name));
        writer.afterwards(of(`after ${name}`));
      }
      const waits = [0, 1].map((bytes) => assert.rejects(writer.drained(bytes), ClientGoneError));
      await until(() => exchange.res.writableNeedDrain && server.watched.size === 1);
      if (how === 'the client goes away') socket.destroy();
      else for (const { cut } of server.watched) cut('no byte moved');
      await Promise.all([...waits, closed()]);
      assert.deepEqual(
        made,
        ['a', 'b', 'c', 'd'].flatMap((name) => [name, `after ${name}`]),
      );
      assert.ok(exchange.bytesOut < floodBytes);
      assert.equal(server.watched.size, 0);
    });
  }

  it('keeps nothing that is written after the client has gone', async () => {
    const { writer, socket, closed } = await begin(100);
    socket.destroy();
    await closed();
    const { made, of } = calls();
    writer.write(Buffer.alloc(10), of('piece'));
    writer.afterwards(of('after'));
    writer.end();
    assert.deepEqual(made, ['piece', 'after']);
    await assert.rejects(writer.drained(100), ClientGoneError);
  });

  it('counts an exchange whose client had left before there was an answer, once', async () => {
    const socket = await server.connect();
    const before = server.ended.length;
    const { made, of } = calls();
    server.serve = (gateway, exchange) => {
      exchange.res.once('close', () => {
        const writer = new BodyWriter(gateway, exchange, 200, []);
        writer.write(Buffer.alloc(10), of('piece'));
        writer.end();
      });
      socket.destroy();
    };
    socket.write(get);
    await until(() => server.ended.length === before + 1);
    assert.deepEqual(made, ['piece']);
    assert.equal(server.ended.at(-1)?.bytesOut, 0);
  });
});

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { ClientGoneError } from '../../../../src/errors/client-gone.ts';
import type { Exchange } from '../../../../src/http/exchange.ts';
import { bodyHeaders } from '../../../../src/http/response/headers.ts';
import { ResponseSender } from '../../../../src/http/response/sender.ts';
import { type ExchangeServer, startExchanges } from '../../../helpers/http/exchanges.ts';
import { until } from '../../../helpers/process/until.ts';

const mebibyte = 1 << 20;
/** More than the kernel buffers for a client that does not read. */
const floodBytes = 24 * mebibyte;
const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('ResponseSender', { timeout: 20_000 }, () => {
  let server: ExchangeServer;
  const sockets: Socket[] = [];
  before(async () => {
    server = await startExchanges();
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    await server.close();
  });

  /** A request in progress; the response has `length`, or is chunked. */
  async function begin(length?: number) {
    const state: { socket: Socket; sender?: ResponseSender; exchange?: Exchange } = {
      socket: await server.connect(),
    };
    sockets.push(state.socket);
    state.socket.pause();
    server.serve = (exchange) => {
      const headers = length === undefined ? [] : ['Content-Length', String(length)];
      state.exchange = exchange;
      state.sender = new ResponseSender(exchange, { status: 200, fixed: bodyHeaders, headers });
    };
    state.socket.write(get);
    await until(() => state.sender !== undefined);
    const { socket, sender, exchange } = state as Required<typeof state>;
    let received = Buffer.alloc(0);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
    socket.pause();
    return {
      socket,
      sender,
      exchange,
      /** The body, after as many bytes as the head of the response announces. */
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

  /** Writes bytes, and calls back when they are sent. */
  function send(sender: ResponseSender, bytes: Uint8Array, sent: () => void): void {
    sender.write(bytes);
    sender.afterwards(sent);
  }

  /** Records how often each callback was called. */
  function calls() {
    const made: string[] = [];
    return { made, of: (name: string) => () => void made.push(name) };
  }

  it('sends pieces of any length in order, and calls each callback once after its piece is sent', async () => {
    const sizes = [1, 0, 3 * mebibyte + 1, 0, 0, mebibyte, 70_000, 0];
    const pieces = sizes.map((size, i) => Buffer.alloc(size, i + 1));
    const whole = Buffer.concat(pieces);
    const { sender, body, exchange, closed } = await begin(whole.length);
    const { made, of } = calls();
    for (const [i, piece] of pieces.entries()) send(sender, piece, of(String(i)));
    sender.afterwards(of('all'));
    sender.end();
    assert.ok((await body()).equals(whole));
    await closed();
    assert.deepEqual(made, ['0', '1', '2', '3', '4', '5', '6', '7', 'all']);
    assert.equal(exchange.bytesOut, whole.length);
    assert.equal(sender.backlog, 0);
    assert.equal(server.watched.size, 0);
  });

  it('sends a body without a length in chunks', async () => {
    const { sender, socket, closed } = await begin();
    let text = '';
    socket.setEncoding('latin1').on('data', (some: string) => {
      text += some;
    });
    sender.write(Buffer.from('one '));
    sender.write(Buffer.from('two'));
    sender.end();
    socket.resume();
    await until(() => text.endsWith('\r\n0\r\n\r\n'));
    assert.match(text, /one (?:\r\n3\r\n)?two/);
    await closed();
  });

  it('calls the callback of an empty piece at once', async () => {
    const { sender, body } = await begin(0);
    const { made, of } = calls();
    sender.afterwards(of('after nothing'));
    send(sender, new Uint8Array(0), of('no bytes'));
    assert.deepEqual(made, ['after nothing', 'no bytes']);
    sender.end();
    await body();
  });

  it('buffers the bytes that a client does not read, and continues when it reads', async () => {
    const { sender, body, exchange } = await begin(floodBytes);
    const { made, of } = calls();
    const piece = Buffer.alloc(floodBytes / 3, 'x');
    for (const name of ['a', 'b', 'c']) send(sender, piece, of(name));
    sender.afterwards(of('all'));
    let drained = false;
    const draining = sender.drained(0).then(() => {
      drained = true;
    });
    await until(() => exchange.res.writableNeedDrain);
    assert.ok(sender.backlog > 4 * mebibyte);
    assert.ok(!made.includes('c'));
    assert.equal(drained, false);
    assert.equal(server.watched.size, 1);
    await Promise.all([draining, body()]);
    assert.deepEqual(made, ['a', 'b', 'c', 'all']);
    // There is nothing to read, so no minimum rate applies.
    assert.equal(server.watched.size, 0);
    sender.end();
  });

  it('is one transfer until its end, which pauses while there is nothing to read', async () => {
    const { sender, socket, closed } = await begin(2 * mebibyte);
    socket.resume();
    sender.write(Buffer.alloc(mebibyte));
    await until(() => server.watched.size === 1);
    const [transfer] = server.watched;
    await sender.drained(0);
    assert.equal(server.watched.size, 0);
    await until(() => (transfer?.measure?.() ?? 0) >= mebibyte);
    sender.write(Buffer.alloc(mebibyte));
    await until(() => server.watched.size === 1);
    assert.deepEqual([...server.watched], [transfer]);
    // Both pieces count: the one before the pause and the one after it.
    await until(() => (transfer?.measure?.() ?? 0) >= 2 * mebibyte);
    sender.end();
    await closed();
    assert.equal(server.watched.size, 0);
  });

  it('resolves each waiter as soon as few enough bytes are left', async () => {
    const { sender, body } = await begin(floodBytes);
    await sender.drained(0);
    sender.write(Buffer.alloc(floodBytes));
    await sender.drained(floodBytes);
    const order: number[] = [];
    const waits = [0, mebibyte, 5 * mebibyte].map(async (bytes) => {
      await sender.drained(bytes);
      assert.ok(sender.backlog <= bytes);
      order.push(bytes);
    });
    await Promise.all([...waits, body()]);
    assert.deepEqual(order, [5 * mebibyte, mebibyte, 0]);
    sender.end();
  });

  for (const how of ['the client goes away', 'the watch finds it too slow'] as const) {
    it(`releases all pieces and waiters once when ${how}`, async () => {
      const { sender, socket, exchange, closed } = await begin(floodBytes);
      const { made, of } = calls();
      for (const name of ['a', 'b', 'c', 'd']) {
        send(sender, Buffer.alloc(floodBytes / 4), of(name));
        sender.afterwards(of(`after ${name}`));
      }
      const waits = [0, 1].map((bytes) => assert.rejects(sender.drained(bytes), ClientGoneError));
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

  it('keeps nothing that is written after the client has disconnected', async () => {
    const { sender, socket, closed } = await begin(100);
    socket.destroy();
    await closed();
    const { made, of } = calls();
    send(sender, Buffer.alloc(10), of('piece'));
    sender.afterwards(of('after'));
    sender.end();
    assert.deepEqual(made, ['piece', 'after']);
    await assert.rejects(sender.drained(100), ClientGoneError);
  });

  it('counts an exchange whose client disconnected before the response, once', async () => {
    const socket = await server.connect();
    const before = server.ended.length;
    const { made, of } = calls();
    server.serve = (exchange) => {
      exchange.res.once('close', () => {
        const sender = new ResponseSender(exchange, {
          status: 200,
          fixed: bodyHeaders,
          headers: [],
        });
        send(sender, Buffer.alloc(10), of('piece'));
        sender.end();
      });
      socket.destroy();
    };
    socket.write(get);
    await until(() => server.ended.length === before + 1);
    assert.deepEqual(made, ['piece']);
    assert.equal(server.ended.at(-1)?.bytesOut, 0);
  });
});

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ClientGoneError } from '../../../../src/errors/client-gone.ts';
import { ProblemError } from '../../../../src/errors/problems.ts';
import { receiveBody } from '../../../../src/http/body/body-receiver.ts';
import type { BodySink, ChunkSink } from '../../../../src/http/body/body-sink.ts';
import type { Exchange } from '../../../../src/http/exchange.ts';
import { setFeature } from '../../../../src/node-internals/node-features.ts';
import { type ExchangeServer, startExchanges } from '../../../helpers/http/exchanges.ts';
import { chunked, requestHead } from '../../../helpers/http/raw-connection.ts';
import { until } from '../../../helpers/process/until.ts';

const head = (headers: Record<string, string | number>) =>
  Buffer.from(requestHead('POST', '/', headers));
const inChunks = (...chunks: string[]) =>
  Buffer.concat([head({ 'Transfer-Encoding': 'chunked' }), chunked(...chunks)]);

/** A sink that records its input, and returns a promise when the test says so. */
class SlowSink implements ChunkSink {
  readonly holdsRoom = true;
  discarded = 0;
  text = '';
  ended = 0;
  slow = false;
  slowEnd = false;
  go: () => void = () => undefined;
  fail: (error: Error) => void = () => undefined;

  write(chunk: Buffer): void | Promise<void> {
    this.text += chunk.toString();
    if (this.slow) return this.#time();
  }

  end(): void | Promise<void> {
    this.ended++;
    if (this.slowEnd) return this.#time();
  }

  discard(): void {
    this.discarded++;
  }

  #time(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.go = resolve;
      this.fail = reject;
    });
  }
}

for (const state of ['on', 'failed'] as const)
  describe(`receiveBody, with body-tap ${state}`, { timeout: 20_000 }, () => {
    let server: ExchangeServer;
    before(async () => {
      setFeature('body-tap', state);
      server = await startExchanges({ batchJsonBytes: 1 << 20 });
    });
    after(() => server.close());

    /** Sends bytes, which a sink receives. `outcome` is 'whole' or the error. */
    async function receive(
      bytes: Uint8Array,
      sink: BodySink,
      prepare?: (exchange: Exchange) => void,
    ) {
      const state: { socket: Socket; exchange?: Exchange; outcome?: unknown } = {
        socket: await server.connect(),
      };
      server.serve = async (exchange) => {
        state.exchange = exchange;
        prepare?.(exchange);
        state.outcome = await receiveBody(exchange, sink, undefined).then(
          () => 'whole',
          (error: unknown) => error,
        );
        if (exchange.res.destroyed) return;
        exchange.res.end();
      };
      state.socket.write(bytes);
      await until(() => state.exchange !== undefined);
      return state as typeof state & { exchange: Exchange };
    }

    const settled = (state: { outcome?: unknown }) => until(() => state.outcome !== undefined);
    const isGone = ({ outcome }: { outcome?: unknown }) => outcome instanceof ClientGoneError;

    it('is one transfer from its first byte to its last, however often its sink pauses', async () => {
      const sink = new SlowSink();
      sink.slow = true;
      const state = await receive(head({ 'Content-Length': 12 }), sink);
      await until(() => server.watched.size === 1);
      const [transfer] = server.watched;
      for (const [at, piece] of ['one ', 'two ', 'six '].entries()) {
        state.socket.write(piece);
        await until(() => sink.text.length === 4 * (at + 1));
        assert.equal(server.watched.size, 0, 'it is watched while its taker has it wait');
        sink.go();
        if (at < 2) await until(() => server.watched.size === 1);
        if (at < 2) assert.deepEqual([...server.watched], [transfer]);
      }
      await settled(state);
      assert.equal(state.outcome, 'whole');
      assert.equal(transfer?.bytes, 12);
      assert.equal(server.watched.size, 0);
    });

    it('passes all bytes to the sink, counts them, and stops watching at the end', async () => {
      const sink = new SlowSink();
      const state = await receive(inChunks('one ', 'two ', 'three'), sink);
      await settled(state);
      assert.deepEqual([state.outcome, sink.text, sink.ended], ['whole', 'one two three', 1]);
      assert.equal(state.exchange.bytesIn, 13);
      assert.equal(sink.discarded, 0);
      assert.equal(server.watched.size, 0);
      state.socket.destroy();
    });

    it('accepts an empty body', async () => {
      const sink = new SlowSink();
      const state = await receive(head({ 'Content-Length': 0 }), sink);
      await settled(state);
      assert.deepEqual([state.outcome, sink.text, sink.ended], ['whole', '', 1]);
      state.socket.destroy();
    });

    it('holds chunks in one buffer and applies no minimum rate while the sink pauses', async () => {
      const sink = new SlowSink();
      sink.slow = true;
      const state = await receive(inChunks('one ', 'two ', 'three'), sink);
      await until(() => server.gateway.heldText.held > 0);
      assert.equal(sink.text, 'one ');
      assert.equal(server.watched.size, 0);
      sink.go();
      await until(() => sink.text === 'one two three');
      assert.equal(sink.ended, 0);
      assert.ok(server.gateway.heldText.held > 0, 'the sink still has it');
      sink.slow = false;
      sink.go();
      await settled(state);
      assert.deepEqual([state.outcome, sink.text, sink.ended], ['whole', 'one two three', 1]);
      assert.equal(server.gateway.heldText.held, 0);
      state.socket.destroy();
    });

    it('stops reading the connection when 16 KiB are held, and loses no byte', async () => {
      const sink = new SlowSink();
      sink.slow = true;
      const bytes = 16 << 20;
      const state = await receive(head({ 'Content-Length': bytes }), sink);
      state.socket.write('first');
      await until(() => sink.text === 'first');
      for (let at = 5; at < bytes; at += 1 << 20) {
        state.socket.write(Buffer.alloc(Math.min(1 << 20, bytes - at), 'x'));
      }
      await until(() => server.gateway.heldText.held >= 16 * 1024);
      for (let turn = 0; turn < 50; turn++) await nextTurn();
      assert.ok(server.gateway.heldText.held <= 128 * 1024, `${server.gateway.heldText.held}`);
      assert.ok(state.socket.writableLength > 0, 'the kernel has taken everything');
      sink.slow = false;
      sink.go();
      await settled(state);
      assert.deepEqual([state.outcome, sink.text.length], ['whole', bytes]);
      assert.equal(sink.text, `first${'x'.repeat(bytes - 5)}`);
      assert.equal(server.gateway.heldText.held, 0);
      state.socket.destroy();
    });

    it('fails with arena-full when the budget has no memory for the held bytes', async () => {
      const { heldText } = server.gateway;
      const free = heldText.most - heldText.held;
      heldText.take(free);
      const sink = new SlowSink();
      sink.slow = true;
      const state = await receive(inChunks('one ', 'two '), sink);
      await until(() => sink.text === 'one ');
      sink.go();
      await settled(state);
      heldText.giveBack(free);
      assert.ok(state.outcome instanceof ProblemError);
      assert.equal(state.outcome.slug, 'arena-full');
      assert.deepEqual([sink.text, sink.ended, heldText.held], ['one ', 0, 0]);
      state.socket.destroy();
    });

    it('sends 100 Continue once to a client that waits for it', async () => {
      const sink = new SlowSink();
      const state = await receive(
        head({ 'Content-Length': 2, Expect: '100-continue' }),
        sink,
        (ex) => {
          ex.expectsContinue = true;
        },
      );
      let answer = '';
      state.socket.on('data', (chunk: Buffer) => {
        answer += chunk.toString();
      });
      await until(() => answer === 'HTTP/1.1 100 Continue\r\n\r\n');
      state.socket.write('hi');
      await settled(state);
      assert.equal(sink.text, 'hi');
      state.socket.destroy();
    });

    it('fails with the error of the sink, at once, later or at the end, and passes nothing more to it', async () => {
      const refusal = new ProblemError('invalid-body');
      const refusing: [sink: SlowSink, given: string][] = [];
      const atOnce = new SlowSink();
      atOnce.write = (chunk) => {
        atOnce.text += chunk.toString();
        throw refusal;
      };
      refusing.push([atOnce, 'one ']);
      const later = new SlowSink();
      later.slow = true;
      refusing.push([later, 'one ']);
      const atEnd = new SlowSink();
      atEnd.slowEnd = true;
      refusing.push([atEnd, 'one two ']);
      for (const [sink, given] of refusing) {
        const state = await receive(inChunks('one ', 'two '), sink);
        await until(() => sink.text === given && (sink !== atEnd || sink.ended === 1));
        sink.fail(refusal);
        await settled(state);
        assert.equal(state.outcome, refusal);
        assert.equal(sink.text, given);
        assert.equal(sink.ended, sink === atEnd ? 1 : 0);
        assert.equal(sink.discarded, sink === atEnd ? 0 : 1);
        assert.equal(server.watched.size, 0);
        state.socket.destroy();
      }
    });

    it('fails when the client is too slow', async () => {
      const sink = new SlowSink();
      const state = await receive(head({ 'Content-Length': 5 }), sink);
      await until(() => server.watched.size === 1);
      for (const { cut } of server.watched) cut('no byte moved');
      await settled(state);
      assert.ok(state.outcome instanceof ProblemError);
      assert.equal(state.outcome.slug, 'request-timeout');
      assert.equal(sink.ended, 0);
      assert.equal(server.watched.size, 0);
      state.socket.destroy();
    });

    it('fails with the error of the parser, before the start and in the middle', async () => {
      const fault = new ProblemError('malformed-request');
      const early = await receive(head({ 'Content-Length': 5 }), new SlowSink(), (exchange) => {
        exchange.bodyFault = fault;
      });
      await settled(early);
      assert.equal(early.outcome, fault);
      const state = await receive(head({ 'Content-Length': 5 }), new SlowSink());
      await until(() => state.exchange.body !== undefined);
      state.exchange.body?.fail(fault);
      await settled(state);
      assert.equal(state.outcome, fault);
      assert.equal(server.watched.size, 0);
      for (const { socket } of [early, state]) socket.destroy();
    });

    it('fails when the client disconnects between two pieces', async () => {
      const sink = new SlowSink();
      const whole = inChunks('one ', 'two ');
      const state = await receive(whole.subarray(0, -14), sink);
      await until(() => sink.text === 'one ');
      state.socket.destroy();
      await settled(state);
      assert.ok(isGone(state));
      assert.equal(sink.ended, 0);
      assert.equal(server.watched.size, 0);
    });

    it('fails when the client disconnects while the sink pauses, even if the body is complete', async () => {
      const sink = new SlowSink();
      sink.slow = true;
      const state = await receive(inChunks('one ', 'two '), sink);
      await until(() => sink.text === 'one ');
      assert.equal(state.exchange.req.complete, true);
      state.socket.destroy();
      await settled(state);
      assert.ok(isGone(state));
      sink.go();
      assert.deepEqual([sink.text, sink.ended, server.watched.size], ['one ', 0, 0]);
    });

    it('fails at once for a client that has already disconnected', async () => {
      const state: { outcome?: unknown } = {};
      const socket = await server.connect();
      server.serve = (exchange) => {
        exchange.req.once('close', () => {
          void receiveBody(exchange, new SlowSink(), undefined).catch((error: unknown) => {
            state.outcome = error;
          });
        });
        socket.destroy();
      };
      socket.write(head({ 'Content-Length': 5 }));
      await settled(state);
      assert.ok(isGone(state));
      assert.equal(server.watched.size, 0);
    });

    it('lets the sink finish a completely received body after the client has disconnected', async () => {
      const sink = new SlowSink();
      sink.slowEnd = true;
      const state = await receive(inChunks('one ', 'two '), sink);
      await until(() => sink.ended === 1);
      state.socket.destroy();
      await until(() => state.exchange.req.closed);
      assert.equal(state.outcome, undefined);
      sink.go();
      await settled(state);
      assert.equal(state.outcome, 'whole');
    });
  });

import { ProblemError } from '../errors.ts';
import { ClientGoneError } from '../store/client-gone.ts';
import type { Exchange, Gateway } from './exchange.ts';
import { dropBody, HeldBody, hasLeft } from './held-body.ts';
import { sendContinue } from './receive.ts';
import type { Transfer } from './transfer-watch.ts';

/** Takes a body piece by piece. A promise asks for time: nothing more is read until it resolves. */
export interface BodySink {
  write(chunk: Buffer): void | Promise<void>;
  /** The body has come whole. */
  end(): void | Promise<void>;
  /** False where the sink takes no room in the arena; true by default. */
  readonly holdsRoom?: boolean;
}

/**
 * Receives a body into a sink that may be slower than the client. Resolves when the sink has taken
 * its end; rejects with what the sink throws, ClientGoneError or `request-timeout`, and then gives
 * the sink nothing more. The client is only held to its minimum rate while it is being read.
 */
export function receiveStream(gateway: Gateway, exchange: Exchange, sink: BodySink): Promise<void> {
  return new Promise((resolve, reject) => {
    const { req, res, bodyFault } = exchange;
    let transfer: Transfer | undefined;
    let settled = false;
    /** The sink finishes what it was given whole, though the client leaves. */
    let ended = false;

    const settle = (): void => {
      settled = true;
      exchange.interrupt = undefined;
      stopWatching();
    };
    const fail = (error: unknown): void => {
      if (settled) return;
      settle();
      dropBody(exchange);
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const tooSlow = (reason: string): void =>
      fail(new ProblemError('request-timeout', { detail: `The body came too slowly: ${reason}.` }));
    const stopWatching = (): void => {
      if (transfer !== undefined) gateway.watch.end(transfer);
      transfer = undefined;
    };
    const feed = (): void => {
      if (settled) return;
      if (transfer !== undefined) gateway.watch.resume(transfer);
      try {
        body.feed({ chunk: take, end });
      } catch (error) {
        fail(error);
      }
    };
    const take = (chunk: Buffer): void => {
      exchange.bytesIn += chunk.length;
      if (transfer !== undefined) transfer.bytes += chunk.length;
      try {
        const written = sink.write(chunk);
        if (!(written instanceof Promise)) return;
        body.hold();
        if (transfer !== undefined) gateway.watch.pause(transfer);
        written.then(feed, fail);
      } catch (error) {
        fail(error);
      }
    };
    const end = (): void => {
      ended = true;
      stopWatching();
      const finish = async (): Promise<void> => sink.end();
      finish().then(() => {
        if (settled) return;
        settle();
        resolve();
      }, fail);
    };

    if (bodyFault !== undefined) return fail(bodyFault);
    if (hasLeft(exchange)) return fail(new ClientGoneError());
    exchange.interrupt = fail;
    transfer = gateway.watch.begin(tooSlow, undefined, sink.holdsRoom);
    sendContinue(exchange);
    // A request closes also when its body was read; a response that has not ended, only with its connection.
    res.once('close', () => {
      if (!ended) fail(new ClientGoneError());
    });
    const body = exchange.body ?? new HeldBody(gateway, req);
    exchange.body = body;
    feed();
  });
}

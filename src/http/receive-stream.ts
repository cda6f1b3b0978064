import { ProblemError } from '../errors.ts';
import { ClientGoneError } from '../store/client-gone.ts';
import type { Exchange, Gateway } from './exchange.ts';
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
    const { req, bodyFault } = exchange;
    let transfer: Transfer | undefined;
    let settled = false;
    /** The sink's answer to what it was given last. */
    let taking: Promise<void> | undefined;

    const settle = (): void => {
      settled = true;
      exchange.interrupt = undefined;
      stopWatching();
      req.off('data', take);
      req.off('end', end);
    };
    const fail = (error: unknown): void => {
      if (settled) return;
      settle();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const tooSlow = (reason: string): void =>
      fail(new ProblemError('request-timeout', { detail: `The body came too slowly: ${reason}.` }));
    const stopWatching = (): void => {
      if (transfer !== undefined) gateway.watch.end(transfer);
      transfer = undefined;
    };
    const take = (chunk: Buffer): void => {
      exchange.bytesIn += chunk.length;
      if (transfer !== undefined) transfer.bytes += chunk.length;
      try {
        const answer = sink.write(chunk);
        if (!(answer instanceof Promise)) return;
        req.pause();
        if (transfer !== undefined) gateway.watch.pause(transfer);
        taking = answer.then(() => {
          taking = undefined;
          if (settled) return;
          if (transfer !== undefined) gateway.watch.resume(transfer);
          req.resume();
        });
        taking.catch(fail);
      } catch (error) {
        fail(error);
      }
    };
    const end = (): void => {
      const finish = async (): Promise<void> => {
        await taking;
        stopWatching();
        await sink.end();
      };
      finish().then(() => {
        if (settled) return;
        settle();
        resolve();
      }, fail);
    };

    if (bodyFault !== undefined) return fail(bodyFault);
    if (req.closed) return fail(new ClientGoneError());
    exchange.interrupt = fail;
    transfer = gateway.watch.begin(tooSlow, undefined, sink.holdsRoom);
    sendContinue(exchange);
    // What has come whole and was not read yet is gone with the connection. None listens for `error`:
    // an aborted request then emits `close` alone.
    req.on('close', () => {
      if (!req.readableEnded) fail(new ClientGoneError());
    });
    req.on('data', take);
    req.on('end', end);
  });
}

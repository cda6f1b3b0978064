import { ProblemError } from '../errors.ts';
import type { Arena, Block } from '../native/types.ts';
import type { DigestCheck } from './digest.ts';
import type { Exchange, Gateway } from './exchange.ts';

/** Thrown when the client went away before its body was complete: nobody is there to be answered. */
export class ClientGoneError extends Error {
  constructor() {
    super('the client closed the connection before its request was complete');
    this.name = 'ClientGoneError';
  }
}

/** The first room for a body of unknown length; it doubles from here. */
const UNSIZED_START_BYTES = 64 * 1024;

/**
 * What is done with a whole body: the first `bytes` of a block, of which this becomes the user. Its
 * answer is sent when it returns, or when the promise it returns resolves.
 */
export type WithBody = (block: Block, bytes: number) => void | Promise<void>;

/** Where a body goes. */
interface Sink {
  /** Takes a chunk; throws to refuse the rest. */
  take(chunk: Buffer): void;
  /** Called once everything was taken. */
  complete(): void | Promise<void>;
  /** Lets go of what was taken, when the rest will not come. */
  discard(): void;
}

/**
 * Receives a body of a known length into a block of that length, which is waited for before the
 * first byte is read. Rejects, holding nothing, with `arena-full`, ClientGoneError, `request-timeout`,
 * or what `use` throws.
 */
export function receiveSized(
  gateway: Gateway,
  exchange: Exchange,
  length: number,
  digest: DigestCheck | undefined,
  use: WithBody,
): Promise<void> {
  const reserved = gateway.store.reserve(length, exchange.req.socket);
  const begin = (block: Block) => {
    sendContinue(exchange);
    const { view } = block;
    let at = 0;
    return pump(gateway, exchange, {
      take(chunk) {
        view.set(chunk, at);
        at += chunk.length;
        digest?.update(chunk);
      },
      complete: () => use(block, length),
      discard: () => block.release(),
    });
  };
  return reserved instanceof Promise ? reserved.then(begin) : begin(reserved);
}

/**
 * Receives a body without Content-Length into a block that doubles without waiting, since it holds
 * one already. Rejects, holding nothing, also with `unsized-body-too-large` and `arena-full`.
 */
export async function receiveUnsized(
  gateway: Gateway,
  exchange: Exchange,
  digest: DigestCheck | undefined,
  use: WithBody,
): Promise<void> {
  const { unsizedBytes } = gateway.limits;
  const { arena } = gateway.store;
  const start = Math.min(UNSIZED_START_BYTES, unsizedBytes);
  let block = await gateway.store.reserve(start, exchange.req.socket);
  let bytes = 0;
  sendContinue(exchange);
  return pump(gateway, exchange, {
    take(chunk) {
      const needed = bytes + chunk.length;
      if (needed > block.length) block = grown(arena, block, bytes, needed, unsizedBytes);
      block.view.set(chunk, bytes);
      bytes = needed;
      digest?.update(chunk);
    },
    complete: () => use(block, bytes),
    discard: () => block.release(),
  });
}

function grown(arena: Arena, block: Block, used: number, needed: number, most: number): Block {
  if (needed > most) {
    throw new ProblemError('unsized-body-too-large', {
      detail: `The body has more than ${most} bytes and no Content-Length: send one.`,
      members: { limitBytes: most },
    });
  }
  const larger = arena.tryAllocate(Math.min(most, Math.max(needed, block.length * 2)));
  if (larger === undefined) {
    throw new ProblemError('arena-full', {
      detail:
        'There was no room to go on receiving a body of unknown length. Send Content-Length, or try again.',
    });
  }
  larger.view.set(block.view.subarray(0, used));
  block.release();
  return larger;
}

/** Tells a client that waits with its body to send it; called once the request is admitted. */
function sendContinue(exchange: Exchange): void {
  if (!exchange.expectsContinue) return;
  exchange.expectsContinue = false;
  exchange.res.writeContinue();
}

/**
 * Feeds the sink until the body is complete. Listeners are not taken off again, since every small
 * PUT comes by here; and none listens for `error`: an aborted request then emits `close` alone.
 */
function pump(gateway: Gateway, exchange: Exchange, sink: Sink): Promise<void> {
  const { req } = exchange;
  return new Promise((resolve, reject) => {
    let settled = false;
    const transfer = gateway.watch.begin((reason) => {
      fail(new ProblemError('request-timeout', { detail: `The body came too slowly: ${reason}.` }));
    });
    const fail = (error: Error) => {
      if (settled) return;
      settled = true;
      gateway.watch.end(transfer);
      sink.discard();
      reject(error);
    };
    // Even when it had all come: what was not read before the connection closed is gone.
    if (req.closed) fail(new ClientGoneError());
    else if (exchange.bodyFault !== undefined) fail(exchange.bodyFault);
    exchange.interrupt = fail;
    req.on('data', (chunk: Buffer) => {
      if (settled) return;
      transfer.bytes += chunk.length;
      exchange.bytesIn += chunk.length;
      try {
        sink.take(chunk);
      } catch (error) {
        fail(error as Error);
      }
    });
    req.on('end', () => {
      if (settled) return;
      settled = true;
      gateway.watch.end(transfer);
      try {
        // One promise in all: each further one would cost a small PUT a turn of the queue.
        resolve(sink.complete());
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    req.on('close', () => {
      // Asked first: an error costs its stack trace, and every request closes.
      if (!settled) fail(new ClientGoneError());
    });
  });
}

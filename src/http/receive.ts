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

/** Takes the chunks of a body; throws to refuse the rest. */
type Sink = (chunk: Buffer) => void;

/**
 * Copies the body into the block as it arrives. Resolves when it is complete; rejects with
 * ClientGoneError, `request-timeout`, or what the digest check throws.
 */
export function receiveInto(
  gateway: Gateway,
  exchange: Exchange,
  block: Block,
  digest: DigestCheck | undefined,
): Promise<void> {
  const { view } = block;
  let at = 0;
  return pump(gateway, exchange, (chunk) => {
    view.set(chunk, at);
    at += chunk.length;
    digest?.update(chunk);
  });
}

/**
 * Receives a body without Content-Length into a block that doubles without waiting, since it holds
 * one already. Resolves with a block and the bytes in it; the caller releases it. Rejects also with
 * `unsized-body-too-large` and `arena-full`, and then holds nothing.
 */
export async function receiveUnsized(
  gateway: Gateway,
  exchange: Exchange,
  digest: DigestCheck | undefined,
): Promise<{ block: Block; bytes: number }> {
  const { unsizedBytes } = gateway.limits;
  const { arena } = gateway.store;
  let block = await gateway.store.reserve(Math.min(UNSIZED_START_BYTES, unsizedBytes));
  let bytes = 0;
  sendContinue(exchange);
  try {
    await pump(gateway, exchange, (chunk) => {
      const needed = bytes + chunk.length;
      if (needed > block.length) block = grown(arena, block, bytes, needed, unsizedBytes);
      block.view.set(chunk, bytes);
      bytes = needed;
      digest?.update(chunk);
    });
  } catch (error) {
    block.release();
    throw error;
  }
  return { block, bytes };
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
export function sendContinue(exchange: Exchange): void {
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
  // Even when it had all come: what was not read before the connection closed is gone.
  if (req.closed) return Promise.reject(new ClientGoneError());
  if (exchange.bodyFault !== undefined) return Promise.reject(exchange.bodyFault);
  return new Promise((resolve, reject) => {
    let settled = false;
    const transfer = gateway.watch.begin((reason) => {
      fail(new ProblemError('request-timeout', { detail: `The body came too slowly: ${reason}.` }));
    });
    const fail = (error: Error) => {
      settled = true;
      gateway.watch.end(transfer);
      reject(error);
    };
    exchange.interrupt = fail;
    req.on('data', (chunk: Buffer) => {
      if (settled) return;
      transfer.bytes += chunk.length;
      exchange.bytesIn += chunk.length;
      try {
        sink(chunk);
      } catch (error) {
        fail(error as Error);
      }
    });
    req.on('end', () => {
      if (settled) return;
      settled = true;
      gateway.watch.end(transfer);
      resolve();
    });
    req.on('close', () => {
      if (!settled) fail(new ClientGoneError());
    });
  });
}

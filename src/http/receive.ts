import { ProblemError } from '../errors.ts';
import { SMALL_BLOCK_BYTES } from '../native/limits.ts';
import type { Block } from '../native/types.ts';
import type { BodyTap } from '../node-internals/body-tap.ts';
import {
  type DirectTarget,
  readDirectly,
  stopReadingDirectly,
} from '../node-internals/direct-read.ts';
import { ClientGoneError } from '../store/client-gone.ts';
import { grown, UNSIZED_START_BYTES } from '../store/grown-block.ts';
import { BodySender } from './body-sender.ts';
import type { DigestCheck } from './digest.ts';
import type { Exchange, Gateway } from './exchange.ts';
import { dropBody, feedBody, hasLeft } from './held-body.ts';
import type { Transfer } from './transfer-watch.ts';

/**
 * What is done with a whole body: the first `bytes` of a block, of which this becomes the user. Its
 * answer is sent when it returns, or when the promise it returns resolves.
 */
export type WithBody = (block: Block, bytes: number) => void | Promise<void>;

/** Missing bytes from which on it is worth to read them straight into their place. */
const DIRECT_BYTES = 128 * 1024;

/** Where a body goes. */
interface Sink {
  /** Takes a chunk; throws to refuse the rest. */
  take(chunk: Uint8Array): void;
  /** Called once everything was taken. */
  complete(): void | Promise<void>;
  /** Lets go of what was taken, when the rest will not come. */
  discard(): void;
  /** Of a body whose length is known: where the rest goes, how long that is, and that some has come. */
  readonly rest?: DirectTarget;
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
  const reserved = gateway.store.reserve(length, new BodySender(exchange));
  const begin = (block: Block) => {
    sendContinue(exchange);
    const { view } = block;
    let at = 0;
    return receive(gateway, exchange, {
      take(chunk) {
        view.set(chunk, at);
        at += chunk.length;
        digest?.update(chunk);
      },
      complete: () => use(block, length),
      discard: () => block.release(),
      rest: {
        next: () => view.subarray(at, length),
        filled(bytes) {
          digest?.update(view.subarray(at, at + bytes));
          at += bytes;
        },
        missing: () => length - at,
      },
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
  let block = await gateway.store.reserve(start, new BodySender(exchange));
  let bytes = 0;
  sendContinue(exchange);
  return receive(gateway, exchange, {
    take(chunk) {
      const needed = bytes + chunk.length;
      if (needed > block.length) {
        block = grown(arena, block, bytes, needed, unsizedBytes, exchange.req.socket);
      }
      block.view.set(chunk, bytes);
      bytes = needed;
      digest?.update(chunk);
    },
    complete: () => use(block, bytes),
    discard: () => block.release(),
  });
}

/** Tells a client that waits with its body to send it; called once the request is admitted. */
export function sendContinue(exchange: Exchange): void {
  if (!exchange.expectsContinue) return;
  exchange.expectsContinue = false;
  exchange.res.writeContinue();
}

const receive = (gateway: Gateway, exchange: Exchange, sink: Sink): Promise<void> =>
  new Promise((resolve, reject) => {
    new Reception(gateway, exchange, sink, resolve, reject).begin();
  });

/** A body on its way: feeds the sink until it is complete, or until it fails for whatever reason. */
class Reception implements BodyTap, DirectTarget {
  readonly #gateway: Gateway;
  readonly #exchange: Exchange;
  readonly #sink: Sink;
  readonly #resolve: (answered: void | Promise<void>) => void;
  readonly #reject: (error: Error) => void;
  readonly #transfer: Transfer;
  #settled = false;

  constructor(
    gateway: Gateway,
    exchange: Exchange,
    sink: Sink,
    resolve: (answered: void | Promise<void>) => void,
    reject: (error: Error) => void,
  ) {
    this.#gateway = gateway;
    this.#exchange = exchange;
    this.#sink = sink;
    this.#resolve = resolve;
    this.#reject = reject;
    const tooSlow = (reason: string): void =>
      this.fail(
        new ProblemError('request-timeout', { detail: `The body came too slowly: ${reason}.` }),
      );
    const holdsRoom = sink.rest === undefined || sink.rest.missing() > SMALL_BLOCK_BYTES;
    this.#transfer = gateway.watch.begin(tooSlow, undefined, holdsRoom);
  }

  begin(): void {
    const { req, bodyFault } = this.#exchange;
    if (hasLeft(this.#exchange)) this.fail(new ClientGoneError());
    else if (bodyFault !== undefined) this.fail(bodyFault);
    if (this.#settled) return;
    this.#exchange.interrupt = (fault) => this.fail(fault);
    // None listens for `error`: an aborted request then emits `close` alone.
    req.on('close', () => {
      // Asked first: an error costs its stack trace.
      if (!this.#settled) this.fail(new ClientGoneError());
    });
    try {
      feedBody(this.#exchange, this);
    } catch (error) {
      this.fail(error as Error);
    }
    if (this.missing() >= DIRECT_BYTES) readDirectly(req.socket, this);
  }

  chunk(chunk: Uint8Array): void {
    if (this.#settled) return;
    this.#count(chunk.length);
    try {
      this.#sink.take(chunk);
    } catch (error) {
      this.fail(error as Error);
    }
  }

  end(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#gateway.watch.end(this.#transfer);
    try {
      // One promise in all: each further one would cost a small PUT a turn of the queue.
      this.#resolve(this.#sink.complete());
    } catch (error) {
      this.#reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  fail(error: Error): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#gateway.watch.end(this.#transfer);
    dropBody(this.#exchange);
    // Stop the kernel writing into the block before releasing it; otherwise another request's data is overwritten.
    stopReadingDirectly(this.#exchange.req.socket);
    this.#sink.discard();
    this.#reject(error);
  }

  next(): Uint8Array {
    return this.#sink.rest?.next() ?? NOTHING;
  }

  filled(bytes: number): void {
    this.#count(bytes);
    this.#sink.rest?.filled(bytes);
  }

  missing(): number {
    return this.#settled ? 0 : (this.#sink.rest?.missing() ?? 0);
  }

  #count(bytes: number): void {
    this.#transfer.bytes += bytes;
    this.#exchange.bytesIn += bytes;
  }
}

const NOTHING = new Uint8Array(0);

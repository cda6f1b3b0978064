import type { IncomingMessage } from 'node:http';
import { ClientGoneError } from '../../errors/client-gone.ts';
import { ProblemError } from '../../errors/problems.ts';
import { type BodyInterceptor, tapBody } from '../../node-internals/body-tap.ts';
import {
  type DirectTarget,
  readDirectly,
  stopReadingDirectly,
} from '../../node-internals/direct-read.ts';
import { peerOf } from '../../scheduler/arena-room.ts';
import type { Transfer } from '../connection/transfer-watch.ts';
import type { Exchange, Gateway } from '../exchange.ts';
import type { DigestCheck } from '../request/digest.ts';
import { announcedLength, announcesBody } from '../request/framing.ts';
import type { BodyLimit, BodySink } from './body-sink.ts';
import { HeldChunks } from './held-chunks.ts';

/** With at least this many bytes missing, the kernel writes them straight into a sink of memory. */
const DIRECT_BYTES = 128 * 1024;

/**
 * Receives the body of a request into a sink. Resolves when the sink has taken the end; rejects with
 * the error of the sink, `digest-mismatch`, ClientGoneError, `request-timeout`, `arena-full`, or the
 * fault that the parser found. The client is held to its minimum rate only while the sink is ready.
 */
export function receiveBody(
  exchange: Exchange,
  sink: BodySink,
  digest: DigestCheck | undefined,
  limit?: BodyLimit,
): Promise<void> {
  const receiver = exchange.body ?? new BodyReceiver(exchange.gateway, exchange.req);
  exchange.body = receiver;
  return new Promise((resolve, reject) => {
    receiver.receive(exchange, { sink, digest, limit, resolve, reject });
  });
}

/** Holds the body of a request whose handler does not receive it yet, if it announces one. */
export function holdBody(exchange: Exchange): void {
  const { gateway, req, res, body } = exchange;
  if (body !== undefined || res.writableEnded || req.complete || !announcesBody(req)) return;
  exchange.body = new BodyReceiver(gateway, req).tap();
}

/** A sink, with the functions that receive its result. */
interface Delivery {
  readonly sink: BodySink;
  readonly digest: DigestCheck | undefined;
  readonly limit: BodyLimit | undefined;
  readonly resolve: (ended: void | Promise<void>) => void;
  readonly reject: (error: Error) => void;
}

const NOTHING = new Uint8Array(0);

/** Receives one body: passes chunks on to the sink, and holds them while there is none or it is busy. */
export class BodyReceiver implements BodyInterceptor, DirectTarget {
  readonly #gateway: Pick<Gateway, 'heldText'>;
  readonly #req: IncomingMessage;
  #exchange: Exchange | undefined;
  /** Set from `receive` until the sink has the end or has failed. */
  #delivery: Delivery | undefined;
  /** Memory of the sink, and how much of it is filled. */
  #memory: Uint8Array = NOTHING;
  #filledBytes = 0;
  #transfer: Transfer | undefined;
  #held: HeldChunks | undefined;
  #receivedBytes = 0;
  #isTapped = false;
  #isBusy = false;
  #isDropped = false;
  #isComplete = false;

  constructor(gateway: Pick<Gateway, 'heldText'>, req: IncomingMessage) {
    this.#gateway = gateway;
    this.#req = req;
  }

  /** Bytes of the body that were read from the connection, held or passed on. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Takes the body from node:http from its first byte on: the head must have been parsed in this turn. */
  tap(): this {
    this.#isTapped = true;
    tapBody(this.#req, this);
    return this;
  }

  /** Passes the body on to a sink. */
  receive(exchange: Exchange, delivery: Delivery): void {
    this.#exchange = exchange;
    this.#delivery = delivery;
    const { sink } = delivery;
    const obstacle = this.#obstacle(exchange, delivery);
    if (obstacle !== undefined) {
      this.fail(obstacle);
      return;
    }
    if (sink.memory !== undefined) this.#memory = sink.memory;
    this.#transfer = exchange.gateway.watch.begin(
      (reason) => this.fail(tooSlow(reason)),
      undefined,
      sink.holdsRoom,
      peerOf(this.#req.socket),
    );
    sendContinue(exchange);
    // A request closes also when its body was read; a response that has not ended, only with its connection.
    exchange.res.on('close', () => {
      // Checked first: an error costs its stack trace.
      if (this.#delivery !== undefined) this.fail(new ClientGoneError());
    });
    if (this.#isTapped) this.#deliver();
    else this.tap();
    if (this.missing() >= DIRECT_BYTES) readDirectly(this.#req.socket, this);
  }

  /** Ends the reception with an error; without effect before there is a sink. */
  fail(error: unknown): void {
    const delivery = this.#delivery;
    if (delivery === undefined) return;
    this.#settle();
    this.drop();
    // Stop the kernel writing into the block before releasing it; otherwise another request's data is overwritten.
    stopReadingDirectly(this.#req.socket);
    delivery.sink.discard();
    delivery.reject(asError(error));
  }

  /** Releases the held bytes and discards those that arrive later. */
  drop(): void {
    this.#isDropped = true;
    this.#held?.release();
  }

  chunk(chunk: Buffer): void {
    this.#receivedBytes += chunk.length;
    if (this.#delivery !== undefined && !this.#isBusy) this.#give(this.#delivery, chunk);
    else if (!this.#isDropped) {
      this.#held ??= new HeldChunks(this.#gateway, this.#req);
      this.#held.add(chunk);
    }
  }

  end(): void {
    this.#isComplete = true;
    // The requests behind this body have a limit of their own.
    this.#held?.resumeReading();
    if (!this.#isBusy) this.#finish();
  }

  next(): Uint8Array {
    return this.#memory.subarray(this.#filledBytes);
  }

  filled(bytes: number): void {
    this.#receivedBytes += bytes;
    this.#count(bytes);
    const from = this.#filledBytes;
    this.#filledBytes += bytes;
    this.#delivery?.digest?.update(this.#memory.subarray(from, from + bytes));
  }

  missing(): number {
    return this.#memory.length - this.#filledBytes;
  }

  /** Why the body cannot be received. */
  #obstacle(exchange: Exchange, { limit }: Delivery): Error | undefined {
    const { bodyFault } = exchange;
    if (bodyFault !== undefined) return bodyFault;
    // node:http also closes a request whose body it has read to the end.
    const hasLeft = this.#isComplete ? this.#req.socket.destroyed : this.#req.closed;
    if (hasLeft) return new ClientGoneError();
    const isTooLong = limit !== undefined && (announcedLength(this.#req) ?? 0) > limit.most;
    return isTooLong ? limit.exceeded() : undefined;
  }

  /** Whether the sink is ready for more. */
  #give({ sink, digest, limit }: Delivery, chunk: Buffer): boolean {
    this.#count(chunk.length);
    try {
      const given = this.#exchange?.bytesIn ?? 0;
      if (limit !== undefined && given > limit.most) throw limit.exceeded();
      digest?.update(chunk);
      if (sink.memory !== undefined) {
        this.#memory.set(chunk, this.#filledBytes);
        this.#filledBytes += chunk.length;
        return true;
      }
      const taken = sink.write(chunk);
      if (!(taken instanceof Promise)) return true;
      this.#wait(taken);
    } catch (error) {
      this.fail(error);
    }
    return false;
  }

  #count(bytes: number): void {
    if (this.#exchange !== undefined) this.#exchange.bytesIn += bytes;
    if (this.#transfer !== undefined) this.#transfer.bytes += bytes;
  }

  /** Holds the bytes that arrive while the sink is busy. */
  #wait(taken: Promise<void>): void {
    this.#isBusy = true;
    if (this.#transfer !== undefined) this.#exchange?.gateway.watch.pause(this.#transfer);
    taken.then(
      () => this.#deliver(),
      (error: unknown) => this.fail(error),
    );
  }

  /** Gives the sink the held bytes, and lets the client send more. */
  #deliver(): void {
    const delivery = this.#delivery;
    if (delivery === undefined) return;
    this.#isBusy = false;
    if (this.#transfer !== undefined) this.#exchange?.gateway.watch.resume(this.#transfer);
    try {
      const held = this.#held?.take();
      if (held !== undefined && !this.#give(delivery, held)) return;
    } catch (error) {
      this.fail(error);
    }
    this.#held?.release();
    if (this.#isComplete) this.#finish();
  }

  #finish(): void {
    const delivery = this.#delivery;
    if (delivery === undefined) return;
    const { sink, digest, resolve, reject } = delivery;
    this.#settle();
    try {
      if (sink.refusesEmpty === true && this.#receivedBytes === 0) {
        throw new ProblemError('empty-object');
      }
      digest?.verify();
    } catch (error) {
      sink.discard();
      reject(asError(error));
      return;
    }
    try {
      // One promise in all: each further one would cost a small PUT a turn of the queue.
      resolve(sink.end());
    } catch (error) {
      reject(asError(error));
    }
  }

  #settle(): void {
    this.#delivery = undefined;
    this.#memory = NOTHING;
    this.#filledBytes = 0;
    if (this.#transfer !== undefined) this.#exchange?.gateway.watch.end(this.#transfer);
  }
}

/** Sends a 100 to a client that waits for one before it sends its body. */
function sendContinue(exchange: Exchange): void {
  if (!exchange.expectsContinue) return;
  exchange.expectsContinue = false;
  exchange.res.writeContinue();
}

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));

const tooSlow = (reason: string): ProblemError =>
  new ProblemError('request-timeout', { detail: `The body arrived too slowly: ${reason}.` });

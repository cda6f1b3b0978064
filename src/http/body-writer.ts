import { reachedBytes } from '../native/unsent-bytes.ts';
import { ClientGoneError } from '../store/client-gone.ts';
import { cutOff, type Exchange, endExchange, type Gateway } from './exchange.ts';
import { commonHeaders, type HeaderList, writeHead } from './respond.ts';
import { sliceBytes } from './slice-bytes.ts';
import type { Transfer } from './transfer-watch.ts';

/** Handed to the socket ahead of what the kernel has taken (transmit.ts). */
const BYTES_AHEAD = 4 << 20;

/** Bytes for the body, or, without any, only a place in it. */
interface Piece {
  readonly bytes: Uint8Array | undefined;
  /** Called once: when all up to here has left, or the connection is closed. */
  readonly sent: (() => void) | undefined;
}

interface Waiter {
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * A response's body, as it comes to be. Pieces leave in order and are not copied: what they lie in
 * stays in use until `sent`. A client that does not read is cut off while there is something to read.
 */
export class BodyWriter {
  readonly #gateway: Gateway;
  readonly #exchange: Exchange;
  #queue: Piece[] = [];
  /** Of the first of the queue, so much is handed on. */
  #offset = 0;
  /** Handed on, and not yet taken by the kernel. */
  readonly #leaving = new Set<Piece>();
  #queuedBytes = 0;
  #handedBytes = 0;
  #writtenBytes = 0;
  #waiters: Waiter[] = [];
  #transfer: Transfer | undefined;
  #ending = false;
  #closed = false;

  /** Writes the head of the response; its length is known if `headers` tell it. */
  constructor(gateway: Gateway, exchange: Exchange, status: number, headers: HeaderList) {
    this.#gateway = gateway;
    this.#exchange = exchange;
    const { res } = exchange;
    if (res.closed || res.destroyed) {
      this.#close();
      return;
    }
    writeHead(gateway, exchange, status, commonHeaders, headers);
    res.once('close', () => this.#close());
  }

  write(bytes: Uint8Array, sent?: () => void): void {
    if (this.#closed) {
      sent?.();
      return;
    }
    this.#queue.push({ bytes, sent });
    this.#queuedBytes += bytes.length;
    this.#pump();
  }

  /** `sent` is called once all that was written before has left, or never will. */
  afterwards(sent: () => void): void {
    if (this.#closed || (this.#queue.length === 0 && this.#leaving.size === 0)) sent();
    else {
      this.#queue.push({ bytes: undefined, sent });
      this.#pump();
    }
  }

  /** Bytes that have not left. */
  get backlog(): number {
    return this.#queuedBytes + this.#handedBytes;
  }

  /** Waits until at most `bytes` have not left. Rejects with ClientGoneError. */
  drained(bytes: number): Promise<void> {
    if (this.#closed) return Promise.reject(new ClientGoneError());
    if (this.backlog <= bytes) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ bytes, resolve, reject });
    });
  }

  end(): void {
    this.#ending = true;
    if (!this.#closed) this.#pump();
  }

  #pump(): void {
    const { res } = this.#exchange;
    res.cork();
    while (this.#queue.length > 0 && this.#handedBytes < BYTES_AHEAD) this.#handOn();
    if (this.#ending && this.#queue.length === 0 && !res.writableEnded) res.end();
    res.uncork();
    if (this.#handedBytes > 0) this.#watch();
  }

  #handOn(): void {
    const piece = this.#queue[0] as Piece;
    const { bytes } = piece;
    const from = this.#offset;
    const to = from + sliceBytes();
    const slice = bytes?.subarray(from, to);
    const isLast = bytes === undefined || to >= bytes.length;
    this.#offset = isLast ? 0 : to;
    if (isLast) {
      this.#queue.shift();
      this.#leaving.add(piece);
    }
    const length = slice?.length ?? 0;
    this.#queuedBytes -= length;
    this.#handedBytes += length;
    if (slice === undefined || length === 0) {
      // Nothing is written for it, so it leaves with what is before it.
      if (this.#leaving.size === 1) this.#left(piece, 0, isLast);
      return;
    }
    this.#exchange.res.write(slice, (error) => {
      // After an error the socket may still read from it, until it is closed.
      if (error == null) this.#left(piece, length, isLast);
    });
  }

  #left(piece: Piece, bytes: number, isLast: boolean): void {
    if (this.#closed) return;
    this.#handedBytes -= bytes;
    this.#writtenBytes += bytes;
    if (isLast) {
      this.#leaving.delete(piece);
      piece.sent?.();
      for (const next of this.#leaving) {
        if (next.bytes !== undefined && next.bytes.length > 0) break;
        this.#leaving.delete(next);
        next.sent?.();
      }
    }
    if (this.#queue.length > 0) this.#pump();
    if (this.#handedBytes === 0 && !this.#ending) this.#pauseWatching();
    this.#wake();
  }

  #wake(): void {
    const held = this.backlog;
    const ready = this.#waiters.filter(({ bytes }) => held <= bytes);
    if (ready.length === 0) return;
    this.#waiters = this.#waiters.filter(({ bytes }) => held > bytes);
    for (const { resolve } of ready) resolve();
  }

  /** One transfer for the whole body: the rate counts all the time in which there is something to read. */
  #watch(): void {
    const { watch } = this.#gateway;
    if (this.#transfer !== undefined) {
      watch.resume(this.#transfer);
      return;
    }
    const { res } = this.#exchange;
    const reached = (): number =>
      reachedBytes(res.socket, this.#writtenBytes + this.#handedBytes, this.#writtenBytes);
    this.#transfer = watch.begin((reason) => cutOff(this.#exchange, reason), reached);
  }

  #pauseWatching(): void {
    if (this.#transfer !== undefined) this.#gateway.watch.pause(this.#transfer);
  }

  #close(): void {
    this.#closed = true;
    if (this.#transfer !== undefined) this.#gateway.watch.end(this.#transfer);
    const pieces = [...this.#leaving, ...this.#queue];
    this.#leaving.clear();
    this.#queue = [];
    for (const { sent } of pieces) sent?.();
    for (const { reject } of this.#waiters) reject(new ClientGoneError());
    this.#waiters = [];
    this.#exchange.bytesOut += this.#writtenBytes;
    endExchange(this.#gateway, this.#exchange);
  }
}

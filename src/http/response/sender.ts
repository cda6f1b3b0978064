import { ClientGoneError } from '../../errors/client-gone.ts';
import type { Block } from '../../native/abi/types.ts';
import { reachedBytes } from '../../os/unsent-bytes.ts';
import { peerOf } from '../../scheduler/arena-room.ts';
import type { Transfer } from '../connection/transfer-watch.ts';
import { cutOff, type Exchange, endExchange } from '../exchange.ts';
import { addExchangeHeaders, type ResponseHead } from './headers.ts';
import { slicesOf } from './slices.ts';

/** Text that is collected before it is written by itself. */
const TEXT_BYTES = 64 * 1024;
/** Fewer bytes than this are copied to the texts around them: a write for each would cost more. */
export const COPIED_BYTES = 4096;
/** Unsent text and copies, from which on the maker of the response must wait. */
const OUTSIDE_BYTES = 256 * 1024;
/** Unsent bytes outside the arena of one response at most: twice that, and the text that is collected. */
export const MAX_OUTSIDE_BYTES = 768 * 1024;

/** A function to be called once all bytes before a position are sent. */
interface Mark {
  readonly position: number;
  readonly reached: () => void;
}

interface Waiter {
  readonly backlog: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Sends a response of texts and bytes of blocks, in their order. Bytes of a block are not copied, so
 * the block must stay in use until `afterwards` calls back. The gateway cuts off a client that does not
 * read while there is something to read.
 */
export class ResponseSender {
  readonly #exchange: Exchange;
  readonly #holdsRoom: boolean;
  /** Texts and copies that are not written yet. */
  #texts: Uint8Array[] = [];
  #text = '';
  #textBytes = 0;
  /** Bytes of a block behind the texts, which may go on. */
  #block: Block | undefined;
  #blockStart = 0;
  #blockEnd = 0;
  /** Bytes outside the arena, written since `room` was waited for. */
  #outsideBytes = 0;

  #queue: Uint8Array[] = [];
  /** Positions in the body: the ends of the written, the handed over, and the sent bytes. */
  #writtenBytes = 0;
  #handedBytes = 0;
  #sentBytes = 0;
  #marks: Mark[] = [];
  #waiters: Waiter[] = [];
  #transfer: Transfer | undefined;
  #isEnding = false;
  #isClosed = false;

  /**
   * Writes the head of the response; the body is chunked unless `headers` have its length. `holdsRoom`
   * says whether larger requests may wait for the blocks.
   */
  constructor(exchange: Exchange, { status, fixed, headers }: ResponseHead, holdsRoom = true) {
    this.#exchange = exchange;
    this.#holdsRoom = holdsRoom;
    const { res } = exchange;
    if (res.closed || res.destroyed) {
      this.#close();
      return;
    }
    addExchangeHeaders(exchange, headers);
    res.writeHead(status, [...fixed.list, ...headers]);
    res.once('close', () => this.#close());
  }

  /** Adds text, which is joined with the texts and the few bytes around it. */
  text(text: string): void {
    if (text === '') return;
    this.#addBlock();
    this.#text += text;
    this.#countText(text.length);
  }

  /** Adds bytes of a block, which are written together with those before them in the block. */
  bytes(block: Block, start: number, end: number): void {
    if (block !== this.#block || start !== this.#blockEnd) {
      this.#addBlock();
      this.#block = block;
      this.#blockStart = start;
    }
    this.#blockEnd = end;
  }

  /** Writes bytes as they are; they must not change until they are sent. */
  write(bytes: Uint8Array): void {
    this.#flush();
    this.#enqueue(bytes);
  }

  /** Calls `reached` once all that was added before is sent, or never will be. */
  afterwards(reached: () => void): void {
    this.#flush();
    if (this.#isClosed || this.backlog === 0) reached();
    else this.#marks.push({ position: this.#writtenBytes, reached });
  }

  end(): void {
    this.#flush();
    this.#isEnding = true;
    if (!this.#isClosed) this.#pump();
  }

  /** Written bytes that are not sent. */
  get backlog(): number {
    return this.#writtenBytes - this.#sentBytes;
  }

  /** Waits until at most `backlog` written bytes are not sent. Rejects with ClientGoneError. */
  drained(backlog: number): Promise<void> {
    if (this.#isClosed) return Promise.reject(new ClientGoneError());
    if (this.backlog <= backlog) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ backlog, resolve, reject });
    });
  }

  /** To be awaited when there is one: too many unsent bytes are not in the arena. */
  room(): Promise<void> | undefined {
    if (this.#outsideBytes <= OUTSIDE_BYTES) return undefined;
    return this.drained(OUTSIDE_BYTES).then(() => {
      this.#outsideBytes = 0;
    });
  }

  #addBlock(): void {
    const block = this.#block;
    if (block === undefined) return;
    this.#block = undefined;
    const bytes = block.view.subarray(this.#blockStart, this.#blockEnd);
    if (bytes.length < COPIED_BYTES) {
      this.#closeText();
      this.#texts.push(Buffer.from(bytes));
      this.#countText(bytes.length);
    } else {
      this.#writeTexts();
      this.#enqueue(bytes);
    }
  }

  #countText(bytes: number): void {
    this.#textBytes += bytes;
    if (this.#textBytes >= TEXT_BYTES) this.#writeTexts();
  }

  #closeText(): void {
    if (this.#text !== '') this.#texts.push(Buffer.from(this.#text));
    this.#text = '';
  }

  #writeTexts(): void {
    this.#closeText();
    const [only] = this.#texts;
    if (only === undefined) return;
    const joined = this.#texts.length === 1 ? only : Buffer.concat(this.#texts);
    this.#texts = [];
    this.#textBytes = 0;
    this.#outsideBytes += joined.length;
    this.#enqueue(joined);
  }

  #flush(): void {
    this.#addBlock();
    this.#writeTexts();
  }

  #enqueue(bytes: Uint8Array): void {
    if (this.#isClosed || bytes.length === 0) return;
    this.#queue.push(bytes);
    this.#writtenBytes += bytes.length;
    this.#pump();
  }

  /** Hands bytes to the socket, as many as may be ahead of the kernel. */
  #pump(): void {
    const { res } = this.#exchange;
    const { sliceBytes, aheadBytes } = slicesOf(res.socket);
    while (this.#queue.length > 0 && this.#handedBytes - this.#sentBytes < aheadBytes) {
      this.#handOver(sliceBytes);
    }
    if (this.#isEnding && this.#queue.length === 0 && !res.writableEnded) res.end();
    if (this.#handedBytes > this.#sentBytes) this.#watch();
  }

  #handOver(sliceBytes: number): void {
    const first = this.#queue[0] as Uint8Array;
    const slice = first.subarray(0, sliceBytes);
    if (slice.length === first.length) this.#queue.shift();
    else this.#queue[0] = first.subarray(sliceBytes);
    this.#handedBytes += slice.length;
    this.#exchange.res.write(slice, (error) => {
      // After an error the socket may still read from the slice, until it is closed.
      if (error == null && !this.#isClosed) this.#sent(slice.length);
    });
  }

  #sent(bytes: number): void {
    this.#sentBytes += bytes;
    this.#exchange.bytesOut += bytes;
    for (let mark = this.#marks[0]; mark !== undefined; mark = this.#marks[0]) {
      if (mark.position > this.#sentBytes) break;
      this.#marks.shift();
      mark.reached();
    }
    if (this.#queue.length > 0) this.#pump();
    if (this.#handedBytes === this.#sentBytes && !this.#isEnding) this.#pauseWatching();
    if (this.#waiters.length > 0) this.#wake();
  }

  #wake(): void {
    const { backlog } = this;
    for (const waiter of this.#waiters) if (backlog <= waiter.backlog) waiter.resolve();
    this.#waiters = this.#waiters.filter((waiter) => backlog > waiter.backlog);
  }

  /** One transfer for the whole body: the rate counts all the time in which there is something to read. */
  #watch(): void {
    const { gateway, req, res } = this.#exchange;
    if (this.#transfer !== undefined) {
      gateway.watch.resume(this.#transfer);
      return;
    }
    const reached = (): number => reachedBytes(res.socket, this.#handedBytes, this.#sentBytes);
    const cut = (reason: string): void => cutOff(this.#exchange, reason);
    this.#transfer = gateway.watch.begin(cut, reached, this.#holdsRoom, peerOf(req.socket));
  }

  #pauseWatching(): void {
    if (this.#transfer !== undefined) this.#exchange.gateway.watch.pause(this.#transfer);
  }

  #close(): void {
    this.#isClosed = true;
    if (this.#transfer !== undefined) this.#exchange.gateway.watch.end(this.#transfer);
    for (const { reached } of this.#marks) reached();
    for (const { reject } of this.#waiters) reject(new ClientGoneError());
    this.#queue = [];
    this.#marks = [];
    this.#waiters = [];
    endExchange(this.#exchange);
  }
}

import type { IncomingMessage } from 'node:http';
import { ProblemError } from '../errors.ts';
import { type BodyTap, tapBody, untapBody } from '../node-internals/body-tap.ts';
import { announcedLength } from './codings.ts';
import type { Exchange, Gateway } from './exchange.ts';
import { GrowingText } from './growing-text.ts';
import { pauseReading, resumeReading } from './read-pause.ts';
import { announcesBody } from './refuse.ts';
import { connectionHold, type TextHold } from './text-hold.ts';

/** From this number of held bytes on, the gateway does not read the connection. */
const STOP_BYTES = 16 * 1024;

/**
 * A body that passes on its chunks, or holds them while its consumer is not ready. Held chunks are
 * copied into one buffer, which is charged to the text budget. node:http would keep a Buffer for each
 * chunk instead, and count its payload only: a body in chunks of one byte costs 500 bytes a byte.
 */
export class HeldBody implements BodyTap {
  readonly #req: IncomingMessage;
  readonly #hold: TextHold;
  readonly #maxBytes: number;
  #tap: BodyTap | undefined;
  #text: GrowingText | undefined;
  /** What the consumer was given last, charged until the consumer is ready for more. */
  #lent: GrowingText | undefined;
  #fault: ProblemError | undefined;
  #receivedBytes = 0;
  #isComplete = false;
  #isDropped = false;

  /** Holds the body from the first byte on: the head must have been parsed in this turn. */
  constructor(gateway: Pick<Gateway, 'heldText'>, req: IncomingMessage) {
    this.#req = req;
    this.#hold = connectionHold(gateway, req);
    this.#maxBytes = Math.min(announcedLength({ req }) ?? this.#hold.most, this.#hold.most);
    tapBody(req, this);
  }

  /** Bytes of the body that have been read from the connection, held or passed on. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Whether the client has sent all of it. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /**
   * Passes on what is held, and then every chunk as it arrives.
   * @throws ProblemError `arena-full` when the text budget had no room for what had to be held
   */
  feed(tap: BodyTap): void {
    if (this.#fault !== undefined) throw this.#fault;
    this.#tap = tap;
    this.#lent?.release();
    this.#lent = this.#text;
    this.#text = undefined;
    if (this.#lent !== undefined) tap.chunk(this.#lent.bytes);
    if (this.#isHolding()) return;
    this.#lent?.release();
    this.#lent = undefined;
    if (this.#isComplete) tap.end();
    else resumeReading(this.#req.socket, this);
  }

  /** Holds from the next chunk on, until `feed` is called again. */
  hold(): void {
    this.#tap = undefined;
  }

  /** Releases what is held, and discards the rest. */
  drop(): void {
    this.#tap = undefined;
    this.#isDropped = true;
    this.#text?.release();
    this.#lent?.release();
    this.#text = undefined;
    this.#lent = undefined;
    resumeReading(this.#req.socket, this);
  }

  chunk(chunk: Buffer): void {
    this.#receivedBytes += chunk.length;
    if (this.#tap !== undefined) this.#tap.chunk(chunk);
    else if (!this.#isDropped && this.#fault === undefined) this.#keep(chunk);
  }

  end(): void {
    this.#isComplete = true;
    // The requests behind it have a limit of their own.
    resumeReading(this.#req.socket, this);
    this.#tap?.end();
  }

  #keep(chunk: Buffer): void {
    this.#text ??= new GrowingText(this.#hold, this.#maxBytes);
    try {
      if (this.#text.append(chunk) < chunk.length) throw noRoom();
    } catch {
      this.#fault = noRoom();
      this.#text.release();
      this.#text = undefined;
    }
    if (this.#text === undefined || this.#text.bytes.length >= STOP_BYTES) {
      pauseReading(this.#req.socket, this);
    }
  }

  #isHolding(): boolean {
    return this.#tap === undefined;
  }
}

/** Holds the body of a request that does not receive it yet, if it announces one. */
export function holdBody(gateway: Gateway, exchange: Exchange): void {
  const { req, res, interrupt, body } = exchange;
  if (interrupt !== undefined || body !== undefined || res.writableEnded) return;
  if (!req.complete && announcesBody(req)) exchange.body = new HeldBody(gateway, req);
}

/**
 * Gives a body to its consumer, whether it was held or not.
 * @throws as `HeldBody.feed`
 */
export function feedBody({ req, body }: Exchange, tap: BodyTap): void {
  if (body === undefined) tapBody(req, tap);
  else body.feed(tap);
}

/** Takes a body from its consumer. */
export function dropBody({ req, body }: Exchange): void {
  if (body === undefined) untapBody(req);
  else body.drop();
}

/**
 * Whether the client has left, so that the rest of the body will not arrive. Read the documented way,
 * a request also closes when all of its body was read.
 */
export const hasLeft = ({ req, body }: Exchange): boolean =>
  body?.isComplete === true ? req.socket.destroyed : req.closed;

const noRoom = (): ProblemError =>
  new ProblemError('arena-full', {
    detail:
      'The request had to wait, and there was no memory for the part of its body that had arrived (8 x --batch-json-bytes). Try again.',
  });

import type { IncomingMessage } from 'node:http';
import { ProblemError } from '../errors.ts';
import { type BodyTap, resumeBody, tapBody, untapBody } from '../node-internals/body-tap.ts';
import type { Exchange, Gateway } from './exchange.ts';
import { GrowingText } from './growing-text.ts';
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
  #tap: BodyTap | undefined;
  #text: GrowingText | undefined;
  /** What the consumer was given last, charged until the consumer is ready for more. */
  #lent: GrowingText | undefined;
  #fault: ProblemError | undefined;
  #receivedBytes = 0;
  #isComplete = false;
  #isStopped = false;

  /** Holds the body from the first byte on: the head must have been parsed in this turn. */
  constructor(gateway: Pick<Gateway, 'heldText'>, req: IncomingMessage) {
    this.#req = req;
    this.#hold = connectionHold(gateway, req);
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
    else if (this.#isStopped) {
      this.#isStopped = false;
      resumeBody(this.#req);
    }
  }

  /** Holds from the next chunk on, until `feed` is called again. */
  hold(): void {
    this.#tap = undefined;
  }

  /** Makes the rest a stream again, and releases what is held. */
  drop(): void {
    this.#tap = undefined;
    untapBody(this.#req);
    this.#release();
  }

  chunk(chunk: Buffer): unknown {
    this.#receivedBytes += chunk.length;
    if (this.#tap !== undefined) return this.#tap.chunk(chunk);
    if (this.#fault !== undefined) return false;
    try {
      this.#text ??= new GrowingText(this.#hold, Number.POSITIVE_INFINITY);
      this.#text.append(chunk);
    } catch {
      this.#fault = noRoom();
      this.#release();
    }
    this.#isStopped = this.#text === undefined || this.#text.bytes.length >= STOP_BYTES;
    return !this.#isStopped;
  }

  end(): void {
    this.#isComplete = true;
    this.#tap?.end();
  }

  #isHolding(): boolean {
    return this.#tap === undefined;
  }

  #release(): void {
    this.#text?.release();
    this.#lent?.release();
    this.#text = undefined;
    this.#lent = undefined;
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

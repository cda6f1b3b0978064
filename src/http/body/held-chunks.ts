import type { IncomingMessage } from 'node:http';
import { ProblemError } from '../../errors/problems.ts';
import type { Gateway } from '../exchange.ts';
import { announcedLength } from '../request/framing.ts';
import { GrowingText } from './growing-text.ts';
import { pauseReading, resumeReading } from './read-pause.ts';
import { connectionHold } from './text-hold.ts';

/** From this number of held bytes on, the gateway does not read the connection. */
const STOP_BYTES = 16 * 1024;

/**
 * Chunks of a body that wait for its sink, in one buffer that is charged to the text budget. node:http
 * would keep a Buffer for each chunk instead and count only its payload: a body in chunks of one byte
 * costs 500 bytes a byte.
 */
export class HeldChunks {
  readonly #gateway: Pick<Gateway, 'heldText'>;
  readonly #req: IncomingMessage;
  #text: GrowingText | undefined;
  /** The bytes that were taken last, charged until they are released. */
  #taken: GrowingText | undefined;
  #fault: ProblemError | undefined;
  #isPaused = false;

  constructor(gateway: Pick<Gateway, 'heldText'>, req: IncomingMessage) {
    this.#gateway = gateway;
    this.#req = req;
  }

  /** Holds a chunk, or loses it when the budget has no room: then `take` throws. */
  add(chunk: Buffer): void {
    if (this.#fault !== undefined) return;
    this.#text ??= this.#newText();
    try {
      if (this.#text.append(chunk) < chunk.length) throw noRoom();
    } catch {
      this.#fault = noRoom();
      this.#text.release();
      this.#text = undefined;
    }
    if (this.#text !== undefined && this.#text.bytes.length < STOP_BYTES) return;
    this.#isPaused = true;
    pauseReading(this.#req.socket, this);
  }

  /** The held bytes, which stay valid until the next call. @throws ProblemError `arena-full` */
  take(): Buffer | undefined {
    if (this.#fault !== undefined) throw this.#fault;
    this.#taken?.release();
    this.#taken = this.#text;
    this.#text = undefined;
    return this.#taken?.bytes;
  }

  /** Releases all bytes, and lets the client send more. */
  release(): void {
    this.#text?.release();
    this.#taken?.release();
    this.#text = undefined;
    this.#taken = undefined;
    this.resumeReading();
  }

  resumeReading(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    resumeReading(this.#req.socket, this);
  }

  #newText(): GrowingText {
    const hold = connectionHold(this.#gateway, this.#req.socket);
    return new GrowingText(hold, Math.min(announcedLength(this.#req) ?? hold.most, hold.most));
  }
}

const noRoom = (): ProblemError =>
  new ProblemError('arena-full', {
    detail:
      'The request had to wait, and there was no memory for the part of its body that had arrived (8 x --batch-json-bytes). Try again.',
  });

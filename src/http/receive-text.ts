import { ProblemError } from '../errors.ts';
import { announcedLength } from './codings.ts';
import type { Exchange, Gateway } from './exchange.ts';
import { receiveStream } from './receive-stream.ts';

const START_BYTES = 16 * 1024;

/**
 * Bytes that requests hold outside the arena, against one bound for all of them: memory is bounded
 * by the configuration, however many clients send at once.
 */
export class HeldBytes {
  /** Bytes that all may hold together. */
  readonly most: number;
  #held = 0;

  constructor(most: number) {
    this.most = most;
  }

  get held(): number {
    return this.#held;
  }

  /** @throws ProblemError `arena-full`, at once: who waits here could wait for each other. */
  take(bytes: number): void {
    if (this.#held + bytes > this.most) {
      throw new ProblemError('arena-full', {
        detail: `JSON and headers under way hold all of the ${this.most} bytes set aside for them (4 x --batch-json-bytes). Try again.`,
      });
    }
    this.#held += bytes;
  }

  giveBack(bytes: number): void {
    this.#held -= bytes;
  }
}

export const bodyTooLarge = (limit: number): ProblemError =>
  new ProblemError('batch-too-large', {
    detail: `The JSON has more than ${limit} bytes (--batch-json-bytes).`,
    members: { limitBytes: limit },
  });

/** Receives a whole JSON body and gives it to `use`, until the end of which its bytes are held. */
export async function withText(
  gateway: Gateway,
  exchange: Exchange,
  use: (text: Buffer) => Promise<void>,
): Promise<void> {
  const most = gateway.limits.batchJsonBytes;
  const { heldText } = gateway;
  const length = announcedLength(exchange);
  if (length !== undefined && length > most) throw bodyTooLarge(most);
  let held = 0;
  const room = (bytes: number): Buffer => {
    heldText.take(bytes);
    held += bytes;
    return Buffer.allocUnsafeSlow(bytes);
  };
  try {
    let text = room(length ?? Math.min(START_BYTES, most));
    let at = 0;
    await receiveStream(gateway, exchange, {
      write(chunk) {
        const needed = at + chunk.length;
        if (needed > most) throw bodyTooLarge(most);
        if (needed > text.length) {
          const larger = room(Math.min(most, Math.max(needed, text.length * 2)));
          larger.set(text.subarray(0, at));
          heldText.giveBack(text.length);
          held -= text.length;
          text = larger;
        }
        text.set(chunk, at);
        at = needed;
      },
      end: () => undefined,
    });
    await use(text.subarray(0, at));
  } finally {
    heldText.giveBack(held);
  }
}

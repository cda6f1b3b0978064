import { ProblemError } from '../errors.ts';
import { announcedLength } from './codings.ts';
import type { Exchange, Gateway } from './exchange.ts';
import { GrowingText } from './growing-text.ts';
import { receiveStream } from './receive-stream.ts';

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
  const length = announcedLength(exchange);
  if (length !== undefined && length > most) throw bodyTooLarge(most);
  const text = new GrowingText(gateway.heldText.of(exchange.req.socket), length ?? most);
  try {
    await receiveStream(gateway, exchange, {
      holdsRoom: false,
      write(chunk) {
        if (text.append(chunk) < chunk.length) throw bodyTooLarge(most);
      },
      end: () => undefined,
    });
    await use(text.bytes);
  } finally {
    text.release();
  }
}

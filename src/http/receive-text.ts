import { ProblemError } from '../errors.ts';
import { announcedLength } from './codings.ts';
import type { Exchange, Gateway } from './exchange.ts';
import { GrowingText } from './growing-text.ts';
import { receiveStream } from './receive-stream.ts';
import { type TextHold, withTextHold } from './text-hold.ts';

export const bodyTooLarge = (limit: number): ProblemError =>
  new ProblemError('batch-too-large', {
    detail: `The JSON has more than ${limit} bytes (--batch-json-bytes).`,
    members: { limitBytes: limit },
  });

/**
 * Receives a whole JSON body and gives it to `use`, with the hold that its bytes are part of. What
 * `use` makes of the text is counted on the same hold.
 */
export function withText(
  gateway: Gateway,
  exchange: Exchange,
  use: (text: Buffer, hold: TextHold) => Promise<void>,
): Promise<void> {
  return withTextHold(gateway, exchange, async (hold) => {
    await use(await receiveText(gateway, exchange, hold), hold);
  });
}

/** Receives a whole JSON body, which is counted on `hold` until that is released. */
export async function receiveText(
  gateway: Gateway,
  exchange: Exchange,
  hold: TextHold,
): Promise<Buffer> {
  const most = gateway.limits.batchJsonBytes;
  const length = announcedLength(exchange);
  if (length !== undefined && length > most) throw bodyTooLarge(most);
  const text = new GrowingText(hold, length ?? most);
  await receiveStream(gateway, exchange, {
    holdsRoom: false,
    write(chunk) {
      if (text.append(chunk) < chunk.length) throw bodyTooLarge(most);
    },
    end: () => undefined,
  });
  return text.bytes;
}

import { ProblemError } from '../../errors/problems.ts';
import type { Exchange } from '../exchange.ts';
import type { DigestCheck } from '../request/digest.ts';
import { announcedLength } from '../request/framing.ts';
import { receiveBody } from './body-receiver.ts';
import { GrowingText } from './growing-text.ts';
import type { TextHold } from './text-hold.ts';

export const bodyTooLarge = (limit: number): ProblemError =>
  new ProblemError('batch-too-large', {
    detail: `The JSON has more than ${limit} bytes (--batch-json-bytes).`,
    members: { limitBytes: limit },
  });

/** Receives a complete JSON body, which is charged to `hold` until that is released. */
export async function receiveText(
  exchange: Exchange,
  hold: TextHold,
  digest: DigestCheck | undefined,
): Promise<Buffer> {
  const most = exchange.gateway.limits.batchJsonBytes;
  const text = new GrowingText(hold, Math.min(announcedLength(exchange.req) ?? most, most));
  const sink = {
    holdsRoom: false,
    write: (chunk: Buffer) => void text.append(chunk),
    end: () => undefined,
    discard: () => text.release(),
  };
  await receiveBody(exchange, sink, digest, { most, exceeded: () => bodyTooLarge(most) });
  return text.bytes;
}

import { announcedLength, refuseCodings } from '../http/codings.ts';
import { isConditional } from '../http/conditional.ts';
import { digestOf } from '../http/digest.ts';
import type { Exchange, Gateway } from '../http/exchange.ts';
import { parsePutQuery } from '../http/placement.ts';
import { receiveSized, receiveUnsized } from '../http/receive.ts';
import { decodeKey } from '../http/target.ts';
import type { Block } from '../native/types.ts';
import { refusalOf } from '../store/admission.ts';
import type { Handler } from './handler.ts';
import { type Put, putConditionally, storeBody } from './store-body.ts';

/** What a PUT asks for, once it is known to be well-formed and not too large. */
interface Upload extends Put {
  /** Undefined when the length is known at the end only. */
  readonly length: number | undefined;
}

/** PUT /v1/objects/{key}: admits the body, receives it into a block, stores the block. */
export const putObject: Handler = (gateway, exchange, raw, query) => {
  const { headers } = exchange.req;
  const key = decodeKey(raw);
  exchange.key = key;
  const { options, ifExists } = parsePutQuery(query);
  refuseCodings(exchange);
  const digest = digestOf(exchange);
  const length = announcedLength(exchange);
  const upload: Upload = { key, options, ifExists, length, digest };
  if (length !== undefined) {
    const { maxObjectBytes } = gateway.limits;
    const { poolBytes } = gateway.store;
    const refusal = refusalOf(length, options.replicas, { maxObjectBytes, poolBytes });
    if (refusal !== undefined) throw refusal;
  }
  if (!isConditional(headers)) return receiveAndStore(gateway, exchange, upload);
  return putConditionally(gateway, exchange, upload, (put) =>
    receiveAndStore(gateway, exchange, put),
  );
};

function receiveAndStore(gateway: Gateway, exchange: Exchange, upload: Upload): Promise<void> {
  const { length, digest } = upload;
  const store = (block: Block, bytes: number) => storeBody(gateway, exchange, upload, block, bytes);
  return length === undefined
    ? receiveUnsized(gateway, exchange, digest, store)
    : receiveSized(gateway, exchange, length, digest, store);
}

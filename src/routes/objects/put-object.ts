import { receiveBlock } from '../../http/body/receive-block.ts';
import { isConditional } from '../../http/request/conditional.ts';
import { digestOf } from '../../http/request/digest.ts';
import { announcedLength, refuseEncodings } from '../../http/request/framing.ts';
import { type PutQuery, parsePutQuery } from '../../http/request/placement.ts';
import { refusalOf } from '../../store/admission.ts';
import type { Handler } from '../handler.ts';
import { putConditionally, storeBlock } from './store-block.ts';

/** PUT /v1/objects/{key}: admits the body, receives it into a block, stores the block. */
export const putObject: Handler = (exchange) => {
  const { gateway, req, query } = exchange;
  const put = parsePutQuery(query);
  refuseEncodings(req);
  const digest = digestOf(req);
  const length = announcedLength(req);
  if (length !== undefined) {
    const { maxObjectBytes } = gateway.limits;
    const { poolBytes } = gateway.store;
    const refusal = refusalOf(length, put.options.replicas, { maxObjectBytes, poolBytes });
    if (refusal !== undefined) throw refusal;
  }
  const receive = (asked: PutQuery): Promise<void> =>
    receiveBlock(exchange, length, digest, (block, bytes) =>
      storeBlock(exchange, asked, block, bytes),
    );
  return isConditional(req.headers) ? putConditionally(exchange, put, receive) : receive(put);
};

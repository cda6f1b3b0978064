import { ProblemError } from '../errors.ts';
import { evaluateConditions, isConditional, requiresAbsence } from '../http/conditional.ts';
import { contentDigestCheck } from '../http/digest.ts';
import type { Exchange, Gateway } from '../http/exchange.ts';
import { type PutQuery, parsePutQuery } from '../http/placement.ts';
import { invalidParameter, printable } from '../http/query.ts';
import { receiveSized, receiveUnsized } from '../http/receive.ts';
import { respond } from '../http/respond.ts';
import { decodeKey, encodeKey } from '../http/target.ts';
import type { WriteOutcome } from '../store/object-store.ts';
import type { Handler } from './handler.ts';

/** PUT /v1/objects/{key}: admits the body, receives it into a block, stores the block. */
export const putObject: Handler = async (gateway, exchange, raw, query) => {
  const { headers } = exchange.req;
  const key = decodeKey(raw);
  exchange.key = key;
  const put = parsePutQuery(query);
  refuseCodings(exchange);
  const digest = contentDigestCheck(headers['content-digest'] as string | undefined);
  const length = announcedLength(exchange);
  if (length !== undefined) admitLength(gateway, length, put);
  if (isConditional(headers)) {
    evaluateConditions(headers, 'PUT', await gateway.store.exists(key));
  }
  const { block, bytes } =
    length === undefined
      ? await receiveUnsized(gateway, exchange, digest)
      : await receiveSized(gateway, exchange, length, digest);
  try {
    if (bytes === 0) throw new ProblemError('empty-object');
    digest?.verify();
    const ifExists = requiresAbsence(headers) ? 'fail' : put.ifExists;
    const written = gateway.store.write(key, block, bytes, put.options, ifExists);
    // What is there already is not waited for: that would cost a turn of the queue.
    answer(gateway, exchange, key, written instanceof Promise ? await written : written);
  } catch (error) {
    throw requiresAbsence(headers) ? failedCondition(error) : error;
  } finally {
    block.release();
  }
};

/** The object was absent when the request came, but another writer was quicker. */
function failedCondition(error: unknown): unknown {
  if (!(error instanceof ProblemError && error.slug === 'object-exists')) return error;
  return new ProblemError('precondition-failed', {
    ...error.options,
    detail: 'If-None-Match: * asks that there be no object with this key, and one has just come.',
  });
}

function answer(gateway: Gateway, exchange: Exchange, key: string, outcome: WriteOutcome): void {
  const head = ['Content-Length', '0', 'Memcache-Outcome', outcome, 'Cache-Control', 'no-store'];
  if (outcome === 'created') head.push('Location', `/v1/objects/${encodeKey(key)}`);
  respond(gateway, exchange, outcome === 'created' ? 201 : 200, head);
}

/** Objects are stored as the bytes they are; RFC 9110 §14.5 refuses a Content-Range on PUT. */
function refuseCodings({ req }: Exchange): void {
  const coding = req.headers['content-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'identity') {
    throw new ProblemError('unsupported-content-coding', {
      detail: `Content-Encoding: ${printable(coding)} is not accepted; send the bytes as they are.`,
      headers: { 'Accept-Encoding': 'identity' },
    });
  }
  if (req.headers['content-range'] !== undefined) {
    throw invalidParameter('Content-Range is not accepted: an object is stored whole.');
  }
  const transfer = req.headers['transfer-encoding'];
  if (transfer !== undefined && transfer.toLowerCase() !== 'chunked') {
    throw new ProblemError('not-implemented', {
      detail: `Transfer-Encoding: ${printable(transfer)} is not supported; chunked is.`,
    });
  }
}

/** Undefined when the length is known at the end only. */
function announcedLength({ req }: Exchange): number | undefined {
  if (req.headers['transfer-encoding'] !== undefined) return undefined;
  const length = req.headers['content-length'];
  return length === undefined ? 0 : Number(length);
}

function admitLength(gateway: Gateway, length: number, { options }: PutQuery): void {
  const { store, limits } = gateway;
  if (length === 0) throw new ProblemError('empty-object');
  if (length > limits.maxObjectBytes) {
    throw new ProblemError('object-too-large', {
      detail: `The object has ${length} bytes; at most ${limits.maxObjectBytes} are accepted (--max-object-bytes).`,
      members: { limitBytes: limits.maxObjectBytes },
    });
  }
  const { poolBytes } = store;
  if (poolBytes !== undefined && length * options.replicas > poolBytes) {
    throw new ProblemError('pool-too-small', {
      detail: `${length} bytes in ${options.replicas} replicas do not fit a pool of ${poolBytes} bytes (--pool-bytes).`,
      members: { limitBytes: poolBytes },
    });
  }
}

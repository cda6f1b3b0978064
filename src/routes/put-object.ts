import { ProblemError } from '../errors.ts';
import { announcedLength, refuseCodings } from '../http/codings.ts';
import { evaluateConditions, isConditional, requiresAbsence } from '../http/conditional.ts';
import { contentDigestCheck, type DigestCheck } from '../http/digest.ts';
import type { Exchange, Gateway } from '../http/exchange.ts';
import { type PutQuery, parsePutQuery } from '../http/placement.ts';
import { receiveSized, receiveUnsized } from '../http/receive.ts';
import { respond } from '../http/respond.ts';
import { decodeKey, encodeKey } from '../http/target.ts';
import type { Block } from '../native/types.ts';
import { refusalOf } from '../store/admission.ts';
import type { WriteOutcome } from '../store/object-store.ts';
import type { Handler } from './handler.ts';

/** What a PUT asks for, once it is known to be well-formed and not too large. */
interface Upload extends PutQuery {
  readonly key: string;
  /** Undefined when the length is known at the end only. */
  readonly length: number | undefined;
  readonly digest: DigestCheck | undefined;
}

/** PUT /v1/objects/{key}: admits the body, receives it into a block, stores the block. */
export const putObject: Handler = (gateway, exchange, raw, query) => {
  const { headers } = exchange.req;
  const key = decodeKey(raw);
  exchange.key = key;
  const { options, ifExists } = parsePutQuery(query);
  refuseCodings(exchange);
  const digest = contentDigestCheck(headers['content-digest'] as string | undefined);
  const length = announcedLength(exchange);
  const upload: Upload = { key, options, ifExists, length, digest };
  if (length !== undefined) {
    const { maxObjectBytes } = gateway.limits;
    const { poolBytes } = gateway.store;
    const refusal = refusalOf(length, options.replicas, { maxObjectBytes, poolBytes });
    if (refusal !== undefined) throw refusal;
  }
  return isConditional(headers)
    ? receiveConditionally(gateway, exchange, upload)
    : receiveAndStore(gateway, exchange, upload);
};

/** The condition is judged before the body is received, and what absence it asks for, by the put. */
async function receiveConditionally(
  gateway: Gateway,
  exchange: Exchange,
  upload: Upload,
): Promise<void> {
  const { headers } = exchange.req;
  evaluateConditions(headers, 'PUT', await gateway.store.exists(upload.key));
  if (!requiresAbsence(headers)) return receiveAndStore(gateway, exchange, upload);
  try {
    await receiveAndStore(gateway, exchange, { ...upload, ifExists: 'fail' });
  } catch (error) {
    throw failedCondition(error);
  }
}

function receiveAndStore(gateway: Gateway, exchange: Exchange, upload: Upload): Promise<void> {
  const { length, digest } = upload;
  const store = (block: Block, bytes: number) => storeBody(gateway, exchange, upload, block, bytes);
  return length === undefined
    ? receiveUnsized(gateway, exchange, digest, store)
    : receiveSized(gateway, exchange, length, digest, store);
}

/** Owns the block from here. */
function storeBody(
  gateway: Gateway,
  exchange: Exchange,
  upload: Upload,
  block: Block,
  bytes: number,
): void | Promise<void> {
  const { key, options, ifExists, digest } = upload;
  let written: WriteOutcome | Promise<WriteOutcome> | undefined;
  try {
    if (bytes === 0) throw new ProblemError('empty-object');
    digest?.verify();
    written = gateway.store.write(key, block, bytes, options, ifExists);
  } finally {
    if (!(written instanceof Promise)) block.release();
  }
  if (!(written instanceof Promise)) return answer(gateway, exchange, key, written);
  return written
    .finally(() => block.release())
    .then((outcome) => answer(gateway, exchange, key, outcome));
}

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

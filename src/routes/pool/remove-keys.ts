import { problemMembers } from '../../codecs/item-text.ts';
import { removeResults } from '../../codecs/json/json-results.ts';
import { MMC_UNMATCHED_KEY } from '../../errors/engine-codes.ts';
import { type ItemFailure, ProblemError } from '../../errors/problems.ts';
import { type TextHold, withTextHold } from '../../http/body/text-hold.ts';
import type { Exchange } from '../../http/exchange.ts';
import { requireAcceptable } from '../../http/request/media-type.ts';
import { invalidParameter, parseQuery, switched } from '../../http/request/query.ts';
import { bodyHeaders } from '../../http/response/headers.ts';
import { ResponseSender } from '../../http/response/sender.ts';
import { authorizePrefix } from '../../http/security/authorize.ts';
import { whileConnected } from '../../scheduler/arena-room.ts';
import type { ItemCodes } from '../../store/ask-keys.ts';
import type { Handler } from '../handler.ts';
import { requirePool } from './cluster.ts';
import { isNameable, KEY_BYTES, readPrefix } from './list-keys.ts';

const NDJSON_TYPE = 'application/x-ndjson';
/** Keys of one batch at most: each batch costs a walk over all keys of the pool. */
const BATCH_KEYS = 8192;
const AHEAD_BYTES = 64 * 1024;

interface Counts {
  matched: number;
  removed: number;
  failed: number;
}

/** DELETE /v1/keys. */
export const removeKeys: Handler = (exchange) => {
  const query = parseQuery(exchange.query, ['prefix', 'all', 'dryRun']);
  requireAcceptable(exchange.req, NDJSON_TYPE);
  const prefix = readPrefix(query.prefix, exchange.query);
  authorizePrefix(exchange, query.prefix ?? '');
  const dryRun = switched('dryRun', query.dryRun);
  if (switched('all', query.all) !== (prefix.length === 0)) {
    throw invalidParameter(
      'Give a prefix that is not empty, or all=true without a prefix to remove all objects.',
    );
  }
  return withTextHold(exchange, (hold) => remove(exchange, hold, prefix, dryRun));
};

async function remove(
  exchange: Exchange,
  hold: TextHold,
  prefix: Buffer,
  dryRun: boolean,
): Promise<void> {
  const { socket } = exchange.req;
  const pool = requirePool(exchange);
  const limit = Math.min(BATCH_KEYS, Math.floor(hold.most / 2 / KEY_BYTES));
  hold.take(limit * KEY_BYTES);
  let page = await pool.keys({ prefix, after: Buffer.alloc(0), limit }, socket);
  // Nothing is removed before: until here a failure is the status of the response.
  const headers = ['Content-Type', NDJSON_TYPE];
  const sender = new ResponseSender(exchange, { status: 200, fixed: bodyHeaders, headers }, false);
  const write = (value: object) => sender.write(Buffer.from(`${JSON.stringify(value)}\n`));
  const counts: Counts = { matched: 0, removed: 0, failed: 0 };
  const failures = new Map<ItemFailure, number>();
  if (!dryRun) exchange.failedItems = failures;
  try {
    for (;;) {
      counts.matched += page.keys.length;
      if (!dryRun) await removeBatch(exchange, page.keys, counts, failures);
      const last = page.keys.at(-1);
      if (!page.more || last === undefined) break;
      write(counts);
      await sender.drained(AHEAD_BYTES);
      requireRunning(exchange);
      page = await whileConnected(socket, (left) => {
        left.throwIfAborted();
        return pool.keys({ prefix, after: last, limit }, socket);
      });
    }
    write({ ...counts, dryRun });
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    exchange.problem = error.slug;
    write({ ...counts, problem: problemMembers(error) });
  }
  sender.end();
}

/** A removal may last longer than a shutdown waits; the client can repeat it. */
function requireRunning({ gateway }: Exchange): void {
  if (gateway.draining) throw new ProblemError('not-ready', { detail: 'The gateway is stopping.' });
}

/** Counts the items as aborted until their outcome is known: the exchange may end before. */
async function removeBatch(
  exchange: Exchange,
  found: readonly Buffer[],
  counts: Counts,
  failures: Map<ItemFailure, number>,
): Promise<void> {
  const add = (failure: ItemFailure, items: number): void => {
    if (items > 0) failures.set(failure, (failures.get(failure) ?? 0) + items);
  };
  exchange.itemCount = (exchange.itemCount ?? 0) + found.length;
  const keys = found.filter(isNameable).map(String);
  counts.failed += found.length - keys.length;
  add('invalid-key', found.length - keys.length);
  if (keys.length === 0) return;
  add('aborted', keys.length);
  const results = await exchange.gateway.batches.remove(keys).catch(nothingRemoved);
  failures.delete('aborted');
  for (const [slug, items] of removeResults(keys, results).failures) add(slug, items);
  const { codes, stopped } = results;
  for (const code of codes.subarray(0, stopped?.from)) {
    if (code === 0) counts.removed += 1;
    else if (code !== MMC_UNMATCHED_KEY) counts.failed += 1;
  }
  if (stopped !== undefined) throw stopped.problem;
}

function nothingRemoved(error: unknown): ItemCodes {
  if (!(error instanceof ProblemError)) throw error;
  return { codes: new Int32Array(), stopped: { from: 0, problem: error } };
}

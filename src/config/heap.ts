/** How large the JavaScript heap of a worker may become, by the memory that requests may hold. */
import { mebibyte } from './kinds.ts';
import type { Config } from './table.ts';

/** Code, connections with their requests, and garbage that is not collected yet. */
const BASE_BYTES = 192 * mebibyte;
/** Without a reserve for many connections; the worker starts with less, but not much less. */
const LEAST_BASE_BYTES = 64 * mebibyte;
/** A remembered size: a key of 255 characters of two bytes, and its place in a map. */
const SIZE_CACHE_KEY_BYTES = 640;

type HeapConfig = Pick<Config, 'batchJsonBytes' | 'engine' | 'sizeCacheKeys'>;

/** Bytes that texts and items of all batches hold together; beyond that 503. */
export const textBudgetBytes = ({ batchJsonBytes }: Pick<Config, 'batchJsonBytes'>): number =>
  8 * batchJsonBytes;

/** With the embedded engine, sizes are always queried and never remembered. */
const sizeCacheBytes = ({ engine, sizeCacheKeys }: HeapConfig): number =>
  engine === 'embedded' ? 0 : sizeCacheKeys * SIZE_CACHE_KEY_BYTES;

const wholeMebibytes = (bytes: number): number => Math.ceil(bytes / mebibyte) * mebibyte;

/** The text budget twice: items die old, and V8 needs room to collect them. */
export const defaultHeapBytes = (config: HeapConfig): number =>
  wholeMebibytes(BASE_BYTES + 2 * textBudgetBytes(config) + sizeCacheBytes(config));

/** With less, clients that fill the text budget end the worker. */
export const leastHeapBytes = (config: HeapConfig): number =>
  wholeMebibytes(LEAST_BASE_BYTES + 1.25 * textBudgetBytes(config) + sizeCacheBytes(config));

const heapOption =
  /(?:^|[\s"'])--max[-_]old[-_]space[-_]size(?:[-_]percentage)?\b(?:[=\s]"?(\d+))?/g;

/** Options of Node for the heap, on its command line or in NODE_OPTIONS. */
function givenToNode(execArgv: readonly string[], env: NodeJS.ProcessEnv): string[] {
  const texts = [env['NODE_OPTIONS'] ?? '', execArgv.join(' ')];
  return texts.flatMap((text) => [...text.matchAll(heapOption)].map(([option]) => option.trim()));
}

export interface HeapOptions {
  /** For the worker's command line, where they win over NODE_OPTIONS. */
  readonly execArgv: readonly string[];
  readonly warning: string | undefined;
}

/**
 * The V8 options of a worker. A limit that the operator has given to Node stays, unless
 * --max-heap-bytes is given too.
 */
export function workerHeapOptions(
  config: Pick<Config, 'maxHeapBytes'> & HeapConfig,
  isGiven: boolean,
  execArgv: readonly string[],
  env: NodeJS.ProcessEnv,
): HeapOptions {
  const theirs = isGiven ? [] : givenToNode(execArgv, env);
  const last = theirs.at(-1);
  if (last === undefined) {
    const size = Math.floor(config.maxHeapBytes / mebibyte);
    return { execArgv: [`--max-old-space-size=${size}`], warning: undefined };
  }
  const least = leastHeapBytes(config) / mebibyte;
  const given = /size[=\s]"?(\d+)$/.exec(last)?.[1];
  const isSmall = given !== undefined && Number(given) < least;
  const warning = isSmall
    ? `${last} limits the heap of a worker to less than the ${least} MiB that --batch-json-bytes needs; raise it, or lower --batch-json-bytes`
    : undefined;
  return { execArgv: [], warning };
}

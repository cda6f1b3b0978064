import { type FixedHeaders, fixedHeaders } from '../../node-internals/one-write.ts';
import type { Exchange } from '../exchange.ts';
import { corsHeaders } from './cors.ts';
import type { RequestTiming } from './server-timing.ts';

/** Header names and values in turn, as writeHead takes them: cheaper than an object. */
export type HeaderList = string[];

/** The status and headers of a response, without those that depend on the exchange. */
export interface ResponseHead {
  readonly status: number;
  readonly fixed: FixedHeaders;
  readonly headers: HeaderList;
}

export const OCTETS = 'application/octet-stream';

/**
 * Headers of every response except a page, which has a stricter policy of its own: a page of another
 * site can neither load the response as a subresource nor show it in a frame.
 */
export const isolationFields: Readonly<Record<string, string>> = {
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Frame-Options': 'DENY',
  'Content-Security-Policy': "frame-ancestors 'none'",
};

/** Headers of every response with a body, pages excepted. */
export const bodyFields: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  ...isolationFields,
};

/** Headers of every response without a body. */
export const noStoreFields: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  ...isolationFields,
};

// Fixed headers are joined once: to join them for each response costs as much as an engine call.
const noStore = Object.entries(noStoreFields).flat();
const body = Object.entries(bodyFields).flat();
const negotiated = ['Vary', 'Accept', ...body];

/** Headers of a response without a body. */
export const emptyHeaders = fixedHeaders(noStore);
/** Headers of a response whose type depends on the operation. */
export const bodyHeaders = fixedHeaders(body);
/** Headers of a response whose type depends on Accept. */
export const negotiatedHeaders = fixedHeaders(negotiated);
/** Headers of the bytes of an object. */
export const objectHeaders = fixedHeaders([
  ...['Content-Type', OCTETS, 'Accept-Ranges', 'bytes'],
  ...body,
]);

/** The value of Server-Timing for a head that is sent now. */
export const timingOf = ({ startedMs }: Exchange, timing: RequestTiming): string =>
  timing.valueAfter(performance.now() - startedMs);

/** Adds the headers that depend on the exchange. While the gateway drains, connections close. */
export function addExchangeHeaders(exchange: Exchange, headers: HeaderList): void {
  const { gateway, requestId, allowedOrigin } = exchange;
  headers.push('X-Request-Id', requestId);
  if (allowedOrigin !== undefined) headers.push(...corsHeaders(allowedOrigin));
  if (exchange.timing !== undefined)
    headers.push('Server-Timing', timingOf(exchange, exchange.timing));
  if (gateway.draining) headers.push('Connection', 'close');
}

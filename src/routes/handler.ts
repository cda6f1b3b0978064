import type { Exchange, Gateway } from '../http/exchange.ts';

/**
 * Serves one operation. `raw` is what stands after the route's prefix, not decoded. It may answer at
 * once, or return a promise; what it throws or rejects with becomes the response.
 */
export type Handler = (
  gateway: Gateway,
  exchange: Exchange,
  raw: string,
  query: string,
) => void | Promise<void>;

/** Operations of one resource by method. */
export type Methods = Readonly<Partial<Record<string, Handler>>>;

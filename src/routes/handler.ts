import type { Exchange } from '../http/exchange.ts';

/**
 * Serves one operation: sends the response before it returns, or before the promise that it returns
 * resolves. The error that it throws or rejects with becomes the response.
 */
export type Handler = (exchange: Exchange) => void | Promise<void>;

/** Operations of one resource by method. */
export type Methods = Readonly<Partial<Record<string, Handler>>>;

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Layout } from '../config-layouts.ts';
import type { BatchStore } from '../store/batch-store.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { ConnectionState } from './connection-state.ts';
import type { HeldBody } from './held-body.ts';
import type { HeldBytes } from './held-bytes.ts';
import { requestIdOf } from './request-id.ts';
import type { TransferWatch } from './transfer-watch.ts';

export type BatchOperation = 'put' | 'get' | 'exists' | 'info' | 'remove';

/** The route templates that requests are counted under; never a key (design.md §3). */
export type RouteTemplate =
  | '/v1/objects/{key}'
  | '/v1/info/{key}'
  | '/v1/layers/{key}'
  | `/v1/batch/${BatchOperation}`
  | '/v1/clients'
  | '/livez'
  | '/readyz'
  | '/metrics'
  | '/docs'
  | '/openapi.json'
  | '/openapi.yaml'
  | '/problems/{slug}'
  | 'other';

/** What routes work with; one for the worker. */
export interface Gateway {
  readonly store: ObjectStore;
  readonly batches: BatchStore;
  /** JSON bodies and headers that are held on the JavaScript side, all together. */
  readonly heldText: HeldBytes;
  readonly limits: Limits;
  /** Those that requests may name; replaced as a whole when the settings are read again. */
  layouts: readonly Layout[];
  readonly watch: TransferWatch;
  /** Set when the worker drains, or soon will: readiness fails, and responses close their connections. */
  draining: boolean;
  /** Told of every request that ended, however it ended. */
  onEnd(exchange: Exchange): void;
}

/** Bytes, all bounded by the configuration. */
export interface Limits {
  readonly maxObjectBytes: number;
  readonly unsizedBytes: number;
  /** Keys of one batch. */
  readonly batchKeys: number;
  readonly batchJsonBytes: number;
  /** Milliseconds that an idle connection stays open, as the Keep-Alive header tells. */
  readonly keepAliveMs: number;
}

/** One request and its response, with what its log line and metrics need. */
export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly connection: ConnectionState;
  readonly requestId: string;
  /** From performance.now(). */
  readonly startedMs: number;
  readonly method: string;
  route: RouteTemplate;
  key: string | undefined;
  /** Set until the 100 that the client waits for is sent. */
  expectsContinue: boolean;
  /** Why the body will never be complete: the parser's fault with it, or ClientGoneError. */
  bodyFault: Error | undefined;
  /** Set when the body had to wait for its consumer. */
  body: HeldBody | undefined;
  /** Set while the body is received: ends that. */
  interrupt: ((fault: Error) => void) | undefined;
  bytesIn: number;
  bytesOut: number;
  /** Set once the exchange was counted. */
  ended: boolean;
  /** The problem's slug, when it was answered with one. */
  problem: string | undefined;
  /** What a defect threw, for the log. */
  error: unknown;
  /** Why the gateway broke off the response. */
  cutOff?: string;
}

/** A request that is about to be served. */
export const newExchange = (
  req: IncomingMessage,
  res: ServerResponse,
  connection: ConnectionState,
  expectsContinue: boolean,
): Exchange => ({
  req,
  res,
  connection,
  requestId: requestIdOf(req.headers['x-request-id']),
  startedMs: performance.now(),
  method: req.method ?? 'GET',
  route: 'other',
  key: undefined,
  expectsContinue,
  bodyFault: undefined,
  body: undefined,
  interrupt: undefined,
  bytesIn: 0,
  bytesOut: 0,
  ended: false,
  problem: undefined,
  error: undefined,
});

/** Counts and logs an exchange, once, when its last byte left or its connection closed. */
export function endExchange(gateway: Gateway, exchange: Exchange): void {
  if (exchange.ended) return;
  exchange.ended = true;
  gateway.onEnd(exchange);
}

/** Ends an exchange whose client has left. It may have ended its side only: ours ends without a response. */
export function abandon(gateway: Gateway, exchange: Exchange): void {
  exchange.req.socket.destroy();
  endExchange(gateway, exchange);
}

/** Breaks off a response whose client reads too slowly. */
export function cutOff(exchange: Exchange, reason: string): void {
  exchange.cutOff = reason;
  exchange.res.destroy();
}

/** Whether the client left before it had the response: without one, or in the middle of it. */
export const clientHasGone = ({ res, error, cutOff }: Exchange): boolean =>
  error === undefined &&
  cutOff === undefined &&
  (!res.headersSent || (res.destroyed && !res.writableFinished));

const attached = Symbol('exchange');
type WithExchange = IncomingMessage & { [attached]?: Exchange };

/** Express hands on requests, not exchanges. */
export function attachExchange(req: IncomingMessage, exchange: Exchange): void {
  (req as WithExchange)[attached] = exchange;
}

export function exchangeOf(req: IncomingMessage): Exchange {
  const exchange = (req as WithExchange)[attached];
  if (exchange === undefined) throw new Error('the request was not begun by the server');
  return exchange;
}

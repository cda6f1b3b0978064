import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Layout } from '../config/layouts.ts';
import type { ItemFailure, ProblemSlug } from '../errors/problems.ts';
import type { BatchStore } from '../store/batch/batch-store.ts';
import type { Buffers } from '../store/buffers/buffers.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { PoolSource } from '../store/pool/pool-source.ts';
import type { BodyReceiver } from './body/body-receiver.ts';
import type { HeldBytes } from './body/held-bytes.ts';
import type { Client } from './clients/client.ts';
import type { Clients } from './clients/clients.ts';
import type { ConnectionState } from './connection/connection-state.ts';
import type { TransferWatch } from './connection/transfer-watch.ts';
import { requestIdOf } from './request/request-id.ts';
import type { SpanIds } from './request/trace-context.ts';
import type { RequestTiming } from './response/server-timing.ts';
import type { Access } from './security/access.ts';
import { type Grant, nothing } from './security/grant.ts';

export type BatchOperation = 'put' | 'get' | 'exists' | 'info' | 'remove';

/** The route templates that requests are counted under; never a key. */
export type RouteTemplate =
  | '/v1/objects/{key}'
  | '/v1/info/{key}'
  | '/v1/layers/{key}'
  | `/v1/batch/${BatchOperation}`
  | '/v1/clients'
  | `/v1/cluster/${'health' | 'segments' | 'capacity'}`
  | '/v1/keys'
  | '/v1/admin/log-level'
  | '/v1/buffers'
  | '/v1/buffers/{name}'
  | `/v1/buffers/{name}/${'put' | 'get'}`
  | '/livez'
  | '/readyz'
  | '/metrics'
  | '/'
  | '/docs'
  | '/openapi.json'
  | '/openapi.yaml'
  | '/problems/{slug}'
  | 'other';

/** The parts of a worker that handlers use. */
export interface Gateway {
  readonly access: Access;
  readonly store: ObjectStore;
  readonly batches: BatchStore;
  /** What the whole pool holds; undefined if neither the engine nor a meta service reports it. */
  readonly pool: PoolSource | undefined;
  /** Memory of clients; undefined with `--shared-buffers off`. */
  readonly buffers: Buffers | undefined;
  /** JSON bodies and headers that are held on the JavaScript side, all together. */
  readonly heldText: HeldBytes;
  readonly limits: Limits;
  /** The layouts that requests may name; replaced as a whole when the settings are read again. */
  layouts: readonly Layout[];
  readonly watch: TransferWatch;
  readonly clients: Clients;
  /** Set when the worker drains, or soon will: readiness fails, and responses close their connections. */
  draining: boolean;
  /** Called once for each exchange, when it has ended. */
  onEnd(exchange: Exchange): void;
}

/** Bytes, all bounded by the configuration. */
export interface Limits {
  readonly maxObjectBytes: number;
  readonly unsizedBytes: number;
  /** Keys of one batch. */
  readonly batchKeys: number;
  readonly batchJsonBytes: number;
  /** Milliseconds that an idle connection stays open, as the Keep-Alive header says. */
  readonly keepAliveMs: number;
}

/**
 * One request and its response: everything that a handler works with, and what the log line and the
 * metrics need.
 */
export interface Exchange {
  readonly gateway: Gateway;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly connection: ConnectionState;
  readonly requestId: string;
  /** From performance.now(). */
  readonly startedMs: number;
  readonly method: string;
  /** What the request may do; nothing until its head is checked. */
  grant: Grant;
  /** The address of the client, for the log. */
  clientAddress: string | undefined;
  /** The client that counts this request as one in flight. */
  client: Client | undefined;
  /** The Origin of a page that may read the response. */
  allowedOrigin: string | undefined;
  route: RouteTemplate;
  /** The decoded key; empty for routes without one. */
  key: string;
  /** The part of the request target after the `?`, not decoded. */
  query: string;
  /** Whether the client waits for a 100, which has not been sent. */
  expectsContinue: boolean;
  /** Why the body will never be complete: the parser's fault with it, or ClientGoneError. */
  bodyFault: Error | undefined;
  /** Set once the body is received, or held until it is. */
  body: BodyReceiver | undefined;
  bytesIn: number;
  bytesOut: number;
  /** Set once the exchange was counted. */
  ended: boolean;
  /** The problem of the response. */
  problem: ProblemSlug | undefined;
  /** The error of a defect, for the log. */
  error: unknown;
  /** When an OpenTelemetry SDK is loaded. */
  span: RequestSpan | undefined;
  /** When the client has asked where the time goes. */
  timing: RequestTiming | undefined;
  /** Why the gateway broke off the response. */
  cutOff?: string;
  /** Of a batch, once its keys are read: the number of its items. Of a removal by prefix, those so far. */
  itemCount?: number;
  /** Of a batch, once the outcome of each item is known: the number of failed items with each outcome. */
  failedItems?: ReadonlyMap<ItemFailure, number>;
}

/** The span of a request. */
export interface RequestSpan extends SpanIds {
  /** `status` is 0 when the connection closed before a response. */
  end(exchange: Recorded, status: number): void;
}

type ResponseState = 'statusCode' | 'headersSent' | 'destroyed' | 'writableFinished';
type Facts = 'requestId' | 'startedMs' | 'method' | 'route' | 'key' | 'bytesIn' | 'bytesOut';
type Outcome = 'problem' | 'error' | 'cutOff' | 'itemCount' | 'failedItems';

/** The facts that the log and the metrics use. */
export type Recorded = Pick<Exchange, Facts | Outcome> & {
  readonly grant?: Pick<Grant, 'id' | 'certificate'>;
  readonly req?: Pick<IncomingMessage, 'headers'>;
  readonly span?: SpanIds | undefined;
  readonly clientAddress?: string | undefined;
  readonly res: Pick<ServerResponse, ResponseState>;
};

export const newExchange = (
  gateway: Gateway,
  req: IncomingMessage,
  res: ServerResponse,
  connection: ConnectionState,
  expectsContinue: boolean,
): Exchange => ({
  gateway,
  req,
  res,
  connection,
  requestId: requestIdOf(req.headers['x-request-id']),
  startedMs: performance.now(),
  method: req.method ?? 'GET',
  grant: nothing,
  clientAddress: undefined,
  client: undefined,
  allowedOrigin: undefined,
  route: 'other',
  key: '',
  query: '',
  expectsContinue,
  bodyFault: undefined,
  body: undefined,
  bytesIn: 0,
  bytesOut: 0,
  ended: false,
  problem: undefined,
  error: undefined,
  span: undefined,
  timing: undefined,
});

/** Counts and logs an exchange, once, when its last byte is sent or its connection closed. */
export function endExchange(exchange: Exchange): void {
  if (exchange.ended) return;
  exchange.ended = true;
  const { client, gateway, bytesIn, bytesOut } = exchange;
  if (client !== undefined) gateway.clients.leave(client, bytesIn + bytesOut);
  exchange.gateway.onEnd(exchange);
}

/** Ends an exchange whose client has disconnected, or has ended its side within the request: it gets no response. */
export function abandon(exchange: Exchange): void {
  exchange.req.socket.destroy();
  endExchange(exchange);
}

/** Breaks off a response whose client reads too slowly. */
export function cutOff(exchange: Exchange, reason: string): void {
  exchange.cutOff = reason;
  exchange.res.destroy();
}

/** Whether the client disconnected before it had the response: without one, or in the middle of it. */
export const clientHasLeft = ({ res, error, cutOff }: Recorded): boolean =>
  error === undefined &&
  cutOff === undefined &&
  (!res.headersSent || (res.destroyed && !res.writableFinished));

const attached = Symbol('exchange');
type WithExchange = IncomingMessage & { [attached]?: Exchange };

/** Express passes requests on, not exchanges. */
export function attachExchange(req: IncomingMessage, exchange: Exchange): void {
  (req as WithExchange)[attached] = exchange;
}

export function exchangeOf(req: IncomingMessage): Exchange {
  const exchange = (req as WithExchange)[attached];
  if (exchange === undefined) throw new Error('the request was not begun by the server');
  return exchange;
}

/** Exchanges of requests, and the lines that the log has for them. */
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pino } from 'pino';
import type { ProblemSlug } from '../../../src/errors/problems.ts';
import { createConnectionStates } from '../../../src/http/connection/connection-state.ts';
import type { Exchange, Gateway } from '../../../src/http/exchange.ts';
import { type ExchangeLogSettings, exchangeLog } from '../../../src/http/exchange-log.ts';
import { nothing } from '../../../src/http/security/grant.ts';

/** The responses of a cache that are no failures. */
export const ordinary: readonly ProblemSlug[] = [
  'object-not-found',
  'object-exists',
  'precondition-failed',
  'range-not-satisfiable',
];
export const mebibyte = 1 << 20;
export const defaults = { accessLog: false, slowRequestMs: 1000, slowRateBytes: 100 * mebibyte };
export const secret = 'users/42/a private question';

export function exchange(changes: Partial<Exchange> = {}): Exchange {
  return {
    gateway: {} as Gateway,
    query: '',
    req: { url: `/v1/objects/${encodeURIComponent(secret)}`, headers: {} } as IncomingMessage,
    res: { headersSent: true } as ServerResponse,
    connection: createConnectionStates().of({}),
    requestId: 'r-1',
    startedMs: 0,
    method: 'GET',
    grant: nothing,
    clientAddress: undefined,
    client: undefined,
    allowedOrigin: undefined,
    route: '/v1/objects/{key}',
    key: secret,
    expectsContinue: false,
    bodyFault: undefined,
    body: undefined,
    bytesIn: 3,
    bytesOut: 4,
    ended: true,
    problem: undefined,
    error: undefined,
    span: undefined,
    timing: undefined,
    ...changes,
  };
}

/** The log line of one exchange; undefined if there is none. */
export function logged(
  status: number,
  durationMs: number,
  changes: Partial<Exchange> = {},
  settings: ExchangeLogSettings = defaults,
) {
  const lines: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) });
  exchangeLog(logger, settings).write(exchange(changes), status, durationMs);
  assert.ok(lines.length <= 1, 'one line at most');
  for (const line of lines) assert.doesNotMatch(line, /question|private|users/);
  return lines[0] === undefined ? undefined : (JSON.parse(lines[0]) as Record<string, unknown>);
}

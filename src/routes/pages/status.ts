import { requireKey } from '../../codecs/keys.ts';
import { ProblemError } from '../../errors/problems.ts';
import type { Exchange } from '../../http/exchange.ts';
import { respond } from '../../http/response/respond.ts';
import { authorize } from '../../http/security/authorize.ts';
import { comesFromOtherSite } from '../../http/security/head.ts';
import type { PoolHistory } from '../../messages/history.ts';
import type { PoolReport } from '../../messages/report.ts';
import { fixedHeaders } from '../../node-internals/one-write.ts';
import type { Lookup } from '../../status-page/lookup.ts';
import { parseStatusQuery } from '../../status-page/query.ts';
import { rightsOf } from '../../status-page/rights.ts';
import { renderStatusPage } from '../../status-page/status-page.ts';
import { pageFields } from '../../status-page/style.ts';
import type { Handler } from '../handler.ts';

export interface StatusDeps {
  readonly poolReport: () => Promise<PoolReport>;
  readonly poolHistory: () => Promise<PoolHistory>;
}

const headers = fixedHeaders(Object.entries(pageFields).flat());

/** GET / for browsers. A supervisor that does not respond leaves gaps in the page, and the page says so. */
export const statusPage =
  ({ poolReport, poolHistory }: StatusDeps): Handler =>
  async (exchange) => {
    const { key, refreshes } = parseStatusQuery(exchange.query);
    const rights = rightsOf(exchange);
    const [report, history, lookup] = await Promise.all([
      poolReport().catch(() => undefined),
      poolHistory().catch(() => undefined),
      key === undefined ? undefined : lookUp(exchange, key),
    ]);
    const text = renderStatusPage({
      ...{ rights, refreshes, history, lookup },
      ready: report?.ready,
      clients: report?.clients,
    });
    const length = String(Buffer.byteLength(text));
    const own = ['Content-Type', 'text/html; charset=utf-8', 'Content-Length', length];
    respond(exchange, { status: 200, fixed: headers, headers: own }, text);
  };

/** Needs what GET /v1/info/{key} needs. A problem becomes a part of the page; a defect rejects. */
async function lookUp(exchange: Exchange, key: string): Promise<Lookup> {
  const { gateway, grant, req, query } = exchange;
  try {
    requireKey(key, () => 'The key');
    requireUtf8(key, query);
    if (comesFromOtherSite(req)) {
      throw new ProblemError('origin-not-allowed', {
        detail: 'A page of another site led here with this key. Press Look up to look for it.',
      });
    }
    // For the log, which has the hash of the key.
    exchange.key = key;
    authorize({ gateway, grant, route: '/v1/info/{key}', method: 'GET', key });
    return { key, outcome: await gateway.store.stat(key) };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return { key, outcome: error };
  }
}

/** A text that is decoded has lost invalid UTF-8, and would name another key. */
function requireUtf8(key: string, query: string): void {
  if (key.includes('\uFFFD') && !/%EF%BF%BD/i.test(query)) {
    throw new ProblemError('invalid-key', { detail: 'The key is not percent-encoded UTF-8.' });
  }
}

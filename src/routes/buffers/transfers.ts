import { itemCounter } from '../../codecs/item-cost.ts';
import { readTransfer } from '../../codecs/json/json-buffers.ts';
import { bufferResults } from '../../codecs/json/json-results.ts';
import { ProblemError, sharedProblem } from '../../errors/problems.ts';
import type { Exchange } from '../../http/exchange.ts';
import { JSON_TYPE, negotiate } from '../../http/request/media-type.ts';
import { parseQuery } from '../../http/request/query.ts';
import { keyNotPermitted } from '../../http/security/authorize.ts';
import { permitsKey } from '../../http/security/grant.ts';
import { BufferGet } from '../../store/buffers/get-into.ts';
import { BufferPut } from '../../store/buffers/put-from.ts';
import { respondResults, withJson } from '../batch/batch-request.ts';
import type { Handler } from '../handler.ts';
import { type BufferClient, bufferClientOf } from './buffer-client.ts';
import { bufferNameOf, findBuffer } from './buffer-path.ts';

/** POST /v1/buffers/{name}/put: put_from and put_from_layers of the Python API, for any number of objects. */
export const bufferPut: Handler = (exchange) => {
  const { gateway, req } = exchange;
  const { client, name } = begin(exchange, '/put');
  return withJson(exchange, async (text, hold) => {
    const { batchKeys, maxObjectBytes } = gateway.limits;
    const transfer = await readTransfer(text, 'put', batchKeys, itemCounter(hold, 'put'));
    const { items, put } = transfer;
    const buffer = await findBuffer(client, name);
    if (transfer.direct !== 'H2G') throw new ProblemError('device-memory-required');
    const { buffers } = client;
    const { store } = gateway;
    const refuse = refusalOfKeys(exchange);
    const caller = req.socket;
    const puts = new BufferPut(
      { buffers, store, buffer, maxObjectBytes, refuse, caller, ...put },
      items.length,
    );
    const outcomes = await puts.run(items);
    await respondResults(
      exchange,
      bufferResults(
        items.map(({ key }) => key),
        outcomes,
      ),
    );
  });
};

/** POST /v1/buffers/{name}/get: get_into and get_into_layers, for any number of objects. */
export const bufferGet: Handler = (exchange) => {
  const { gateway, req } = exchange;
  const { client, name } = begin(exchange, '/get');
  return withJson(exchange, async (text, hold) => {
    const { batchKeys } = gateway.limits;
    const transfer = await readTransfer(text, 'get', batchKeys, itemCounter(hold, 'put'));
    const { items } = transfer;
    const buffer = await findBuffer(client, name);
    if (transfer.direct !== 'G2H') throw new ProblemError('device-memory-required');
    const refuse = refusalOfKeys(exchange);
    const get = new BufferGet({ buffers: client.buffers, buffer, refuse, caller: req.socket });
    const outcomes = await get.run(items);
    await respondResults(
      exchange,
      bufferResults(
        items.map(({ key }) => key),
        outcomes,
      ),
    );
  });
};

function begin(
  exchange: Exchange,
  suffix: string,
): { readonly client: BufferClient; readonly name: string } {
  parseQuery(exchange.query, []);
  negotiate(exchange.req, [JSON_TYPE]);
  const client = bufferClientOf(exchange);
  return { client, name: bufferNameOf(exchange, suffix) };
}

/** Each key outside the prefixes of the token becomes an item with 403. */
function refusalOfKeys({ grant }: Exchange): (key: string) => ProblemError | undefined {
  if (grant.prefixes.length === 0) return () => undefined;
  const { slug, options } = keyNotPermitted(grant);
  const problem = sharedProblem(slug, options);
  return (key) => (permitsKey(grant, key) ? undefined : problem);
}

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, it } from 'node:test';
import { createClient } from '../../../packages/client/src/index.ts';
import { type Asked, ok, problem, scripted } from '../../helpers/engine/scripted-client.ts';

const authorizations = (asked: readonly Asked[]) =>
  asked.map(({ headers }) => headers.get('authorization'));

const servers: http.Server[] = [];
after(() => {
  for (const server of servers) server.close().closeAllConnections();
});

/** Starts a server; resolves with its URL. */
async function serve(listener: http.RequestListener): Promise<string> {
  const server = http.createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('the token of a client', () => {
  it('is sent with every request, in place of the same header', async () => {
    const headers = { Authorization: 'Basic eDp5', 'X-Other': '1' };
    const { client, asked } = scripted([ok('x'), ok('')], { token: 'mcg_a_b', headers });
    await client.get('a');
    await client.put('a', 'x');
    assert.deepEqual(authorizations(asked), ['Bearer mcg_a_b', 'Bearer mcg_a_b']);
    assert.equal(asked[0]?.headers.get('x-other'), '1');
  });

  it('may come from a function, which is called before each attempt', async () => {
    let calls = 0;
    const token = () => {
      calls += 1;
      return calls === 1 ? 'first' : Promise.resolve('second');
    };
    const { client, asked } = scripted([problem('arena-full', 503, true), ok('x')], { token });
    await client.get('a');
    assert.deepEqual(authorizations(asked), ['Bearer first', 'Bearer second']);
  });

  it('is refused if it is no token, without its text, and without a retry', async () => {
    for (const token of ['', 'secret\n', 'a b', 'ä', 'a\r\nX: y']) {
      const options = { baseUrl: 'http://gateway.test', token };
      assert.throws(
        () => createClient(options),
        /^TypeError: options\.token must be a token [^ä]*$/,
      );
      const { client, asked } = scripted([], { token: () => token });
      await assert.rejects(client.get('a'), /^TypeError: the result of options\.token must be/);
      assert.equal(asked.length, 0);
    }
    assert.throws(
      () => createClient({ baseUrl: 'http://gateway.test', token: 5 as unknown as string }),
      /options\.token must be a string, not a number/,
    );
    let calls = 0;
    const failing = () => {
      calls += 1;
      throw new TypeError('no token today');
    };
    await assert.rejects(scripted([], { token: failing }).client.get('a'), /no token today/);
    assert.equal(calls, 1);
  });

  it('is sent to no server that a redirect names', async () => {
    let redirected = 0;
    const other = await serve((_, res) => {
      redirected += 1;
      res.end('x');
    });
    const sent: (string | undefined)[] = [];
    const gateway = await serve((req, res) => {
      sent.push(req.headers.authorization);
      res.writeHead(307, { Location: `${other}${req.url}` }).end();
    });
    const client = createClient({ baseUrl: gateway, token: 'mcg_a_b', retries: 0 });
    await assert.rejects(client.get('a'), TypeError);
    await assert.rejects(client.put('a', 'x'), TypeError);
    assert.deepEqual(sent, ['Bearer mcg_a_b', 'Bearer mcg_a_b']);
    assert.equal(redirected, 0);
  });

  it('that does not suffice is a problem of its own kind, and not retried', async () => {
    for (const [kind, status] of [
      ['token-required', 401],
      ['token-invalid', 401],
      ['scope-missing', 403],
      ['key-not-permitted', 403],
    ] as const) {
      const { client, asked } = scripted([problem(kind, status, false)]);
      await assert.rejects(client.get('a'), { problem: kind, status });
      assert.equal(asked.length, 1);
    }
  });
});

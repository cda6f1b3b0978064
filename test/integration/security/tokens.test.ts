/** Every operation with every kind of token, on a real gateway, in both lanes. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import type { Scope } from '../../../src/tokens/token.ts';
import { withBothLanes } from '../../helpers/http/lanes.ts';
import { connectRaw, requestHead, slugOf } from '../../helpers/http/raw-connection.ts';
import { requestChecked } from '../../helpers/openapi/openapi.ts';
import { metric, untilIdle, usedBlocks } from '../../helpers/process/metrics.ts';
import {
  authorization,
  type TestToken,
  testToken,
  tokenFolder,
  writeTokens,
} from '../../helpers/process/token-files.ts';
import { until } from '../../helpers/process/until.ts';

const folder = tokenFolder();
after(() => folder.remove());
const file = path.join(folder.path, 'tokens.json');

const tokens = {
  all: testToken({ scopes: ['read', 'write', 'admin'] }),
  read: testToken({ scopes: ['read'] }),
  write: testToken({ scopes: ['write'] }),
  admin: testToken({ scopes: ['admin'] }),
  cleaner: testToken({ scopes: ['admin'], prefixes: ['cleaned/'] }),
  limited: testToken({ scopes: ['read', 'write'], prefixes: ['mine/', 'ours/'] }),
  expired: testToken({ expiresMs: Date.now() - 1 }),
};
writeTokens(file, Object.values(tokens));

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly scope: Scope;
  readonly status: number;
  readonly body?: string;
  readonly type?: string;
}

const json = 'application/json';
const batch = (operation: string, scope: Scope, body: object): Operation => ({
  ...{ method: 'POST', path: `/v1/batch/${operation}`, scope, status: 200 },
  ...{ body: JSON.stringify(body), type: json },
});
const keysOf = (...keys: string[]) => ({ keys });
const itemsOf = (...keys: string[]) => ({ items: keys.map((key) => ({ key, value: 'aGk=' })) });

/** In an order in which each succeeds. `key` has no characters that a path must encode. */
const operationsOn = (key: string): Operation[] => [
  { method: 'PUT', path: `/v1/objects/${key}`, scope: 'write', status: 201, body: 'hello' },
  { method: 'GET', path: `/v1/objects/${key}`, scope: 'read', status: 200 },
  { method: 'HEAD', path: `/v1/objects/${key}`, scope: 'read', status: 200 },
  { method: 'GET', path: `/v1/info/${key}`, scope: 'read', status: 200 },
  { method: 'GET', path: `/v1/layers/${key}?sizes=5`, scope: 'read', status: 200 },
  { method: 'HEAD', path: `/v1/layers/${key}?sizes=5`, scope: 'read', status: 200 },
  batch('get', 'read', keysOf(key)),
  batch('exists', 'read', keysOf(key)),
  batch('info', 'read', keysOf(key)),
  batch('put', 'write', itemsOf(`${key}-b`)),
  batch('remove', 'write', keysOf(`${key}-b`)),
  { method: 'DELETE', path: `/v1/objects/${key}`, scope: 'write', status: 204 },
  {
    ...{ method: 'PUT', path: `/v1/layers/${key}`, scope: 'write', status: 201 },
    ...{ body: '{"layers":["aGVsbG8="]}', type: json },
  },
  { method: 'DELETE', path: `/v1/objects/${key}`, scope: 'write', status: 204 },
  batch('exists', 'read', { ...keysOf(key), until: 'missing' }),
  { method: 'GET', path: `/v1/keys?prefix=${key}`, scope: 'read', status: 200 },
  { method: 'HEAD', path: `/v1/keys?prefix=${key}`, scope: 'read', status: 200 },
  { method: 'DELETE', path: `/v1/keys?prefix=${key}&dryRun`, scope: 'admin', status: 200 },
  { method: 'GET', path: '/v1/clients', scope: 'admin', status: 200 },
  { method: 'GET', path: '/v1/admin/log-level', scope: 'admin', status: 200 },
  { method: 'HEAD', path: '/v1/admin/log-level', scope: 'admin', status: 200 },
  {
    ...{ method: 'PUT', path: '/v1/admin/log-level', scope: 'admin', status: 200 },
    ...{ body: '{"level":"info"}', type: json },
  },
  { method: 'GET', path: '/v1/cluster/health', scope: 'admin', status: 200 },
  { method: 'GET', path: '/v1/cluster/segments', scope: 'admin', status: 200 },
  { method: 'GET', path: '/v1/cluster/capacity', scope: 'admin', status: 200 },
];

withBothLanes({ args: ['--token-file', file, '--access-log'] }, (gateway) => {
  async function send(operation: Operation, headers: Record<string, string>) {
    const { method, path: target, body, type } = operation;
    const answer = await requestChecked(gateway().url, {
      method,
      path: target,
      headers: { ...headers, ...(type === undefined ? {} : { 'Content-Type': type }) },
      ...(body === undefined ? {} : { body }),
    });
    const text = answer.body.toString();
    const slug =
      answer.headers['content-type'] === 'application/problem+json' && text !== '' ? text : '{}';
    const { type: problem, detail } = JSON.parse(slug) as { type?: string; detail?: string };
    return { ...answer, text, problem: problem?.replace('/problems/', ''), detail };
  }
  const sendAs = (operation: Operation, { token }: TestToken) =>
    send(operation, authorization(token));

  describe('an operation', () => {
    it('succeeds with a token that has its scope, and gets 403 with any other scope', async () => {
      for (const operation of operationsOn('scopes/k')) {
        const label = `${operation.method} ${operation.path}`;
        for (const scope of ['read', 'write', 'admin'] as const) {
          if (scope === operation.scope) continue;
          const refused = await sendAs(operation, tokens[scope]);
          assert.equal(refused.status, 403, `${label} with ${scope}`);
          assert.match(String(refused.headers['www-authenticate']), /error="insufficient_scope"/);
          if (operation.method === 'HEAD') continue;
          assert.equal(refused.problem, 'scope-missing');
          assert.match(
            refused.detail ?? '',
            new RegExp(`scope ${operation.scope}, .*${tokens[scope].entry.id}`),
          );
        }
        assert.equal(
          (await sendAs(operation, tokens[operation.scope])).status,
          operation.status,
          label,
        );
      }
    });

    it('gets 401 without a token, and with one that is wrong or expired', async () => {
      const wrong = tokens.all.token.slice(0, -2);
      for (const operation of operationsOn('absent')) {
        const label = `${operation.method} ${operation.path}`;
        for (const [headers, slug] of [
          [{}, 'token-required'],
          [{ Authorization: 'Basic bWNnOm1jZw==' }, 'token-required'],
          [authorization(wrong), 'token-invalid'],
          [authorization(testToken().token), 'token-invalid'],
          [authorization(tokens.expired.token), 'token-invalid'],
        ] as const) {
          const refused = await send(operation, headers);
          assert.equal(refused.status, 401, label);
          const challenge = String(refused.headers['www-authenticate']);
          assert.equal(challenge.includes('invalid_token'), slug === 'token-invalid', challenge);
          if (operation.method !== 'HEAD') assert.equal(refused.problem, slug, label);
        }
      }
    });

    it('works on keys with the prefixes of its token, and gets 403 for others', async () => {
      for (const prefix of ['mine/', 'ours/']) {
        for (const operation of operationsOn(`${prefix}k`)) {
          const { status, text } = await sendAs(operation, tokens.limited);
          const expected = operation.scope === 'admin' ? 403 : operation.status;
          assert.equal(status, expected, `${operation.method} ${operation.path} ${text}`);
          assert.doesNotMatch(text, /key-not-permitted/);
        }
      }
      for (const key of ['mine', 'min/k', 'Mine/k', 'x/mine/k', '%2Fmine/k', 'mine%252Fk']) {
        for (const operation of operationsOn(key)) {
          if (operation.scope === 'admin') continue;
          const answer = await sendAs(operation, tokens.limited);
          const label = `${operation.method} ${operation.path} ${answer.text}`;
          const isBatch = operation.method === 'POST' && !operation.body?.includes('until');
          assert.equal(answer.status, isBatch ? 200 : 403, label);
          if (isBatch)
            assert.match(answer.text, /"status":403.*key-not-permitted.*"failed":1/, label);
          else if (operation.method !== 'HEAD')
            assert.equal(answer.problem, 'key-not-permitted', label);
        }
      }
      const encoded = {
        method: 'PUT',
        path: '/v1/objects/%6Dine%2Fk',
        scope: 'write',
        status: 201,
        body: 'a',
      } as const;
      assert.equal((await sendAs(encoded, tokens.limited)).status, 201);
    });

    it('gets the same refusal whether or not the object exists', async () => {
      const put = {
        method: 'PUT',
        path: '/v1/objects/theirs/here',
        scope: 'write',
        status: 201,
        body: 'a',
      } as const;
      assert.equal((await sendAs(put, tokens.all)).status, 201);
      const refusals = async (key: string) => {
        const told: unknown[] = [];
        for (const operation of operationsOn(key)) {
          for (const token of [tokens.admin, tokens.limited, tokens.expired]) {
            // The scope admin may know everything.
            if (operation.scope === 'admin') continue;
            const { status, text, headers } = await sendAs(operation, token);
            const id = String(headers['x-request-id']);
            const anonymous = text.replaceAll(id, 'id').replaceAll(key, 'key');
            const others = { ...headers, 'x-request-id': '', date: '' };
            told.push({ status, anonymous, ...others });
          }
        }
        return told;
      };
      assert.deepEqual(await refusals('theirs/here'), await refusals('theirs/gone'));
      const got = {
        method: 'GET',
        path: '/v1/objects/theirs/here',
        scope: 'read',
        status: 200,
      } as const;
      assert.equal((await sendAs(got, tokens.all)).text, 'a');
    });

    it('below /v1/ that does not exist needs a token too, and an open path does not', async () => {
      for (const target of ['/v1/nothing', '/v1/objects', '/v1/']) {
        const operation = { method: 'GET', path: target, scope: 'read', status: 404 } as const;
        assert.equal((await send(operation, {})).status, 401, target);
        assert.equal((await sendAs(operation, tokens.read)).status, 404, target);
      }
      for (const target of [
        '/livez',
        '/readyz',
        '/metrics',
        '/',
        '/docs',
        '/openapi.json',
        '/problems',
        '/problems/token-required',
      ]) {
        const operation = { method: 'GET', path: target, scope: 'read', status: 200 } as const;
        assert.equal((await send(operation, {})).status, 200, target);
        assert.equal((await send(operation, authorization('nonsense'))).status, 200, target);
      }
    });

    it('needs the scope admin for the details of /readyz', async () => {
      const verbose = {
        method: 'GET',
        path: '/readyz?verbose',
        scope: 'admin',
        status: 200,
      } as const;
      assert.equal((await send(verbose, {})).problem, 'token-required');
      assert.equal((await send(verbose, authorization('nonsense'))).problem, 'token-invalid');
      assert.equal((await sendAs(verbose, tokens.expired)).problem, 'token-invalid');
      assert.equal((await sendAs(verbose, tokens.read)).problem, 'scope-missing');
      assert.equal((await sendAs(verbose, tokens.admin)).status, 200);
      const plain = { ...verbose, path: '/readyz?verbose=off' };
      assert.equal((await send(plain, {})).status, 200);
    });
  });

  describe('an operation on all keys with a prefix', () => {
    it('needs a prefix that lies in one of the token, also to count leading keys', async () => {
      for (const key of ['mine/listed', 'theirs/listed']) {
        const put = {
          method: 'PUT',
          path: `/v1/objects/${key}`,
          scope: 'write',
          status: 201,
        } as const;
        await sendAs({ ...put, body: 'a' }, tokens.all);
      }
      const list = (query: string) =>
        sendAs(
          { method: 'GET', path: `/v1/keys${query}`, scope: 'read', status: 200 },
          tokens.limited,
        );
      for (const query of ['', '?prefix=', '?prefix=min', '?prefix=mine', '?prefix=theirs/']) {
        assert.equal((await list(query)).problem, 'key-not-permitted', query);
      }
      const { keys } = JSON.parse((await list('?prefix=mine/')).text) as { keys: string[] };
      assert.ok(keys.includes('mine/listed'));
      assert.ok(keys.every((key) => key.startsWith('mine/')));
      const count = (...asked: string[]) =>
        sendAs(batch('exists', 'read', { ...keysOf(...asked), until: 'missing' }), tokens.limited);
      assert.equal((await count('mine/listed', 'theirs/listed')).problem, 'key-not-permitted');
      assert.equal((await count('mine/listed', 'mine/none')).text, '{"leading":1,"of":2}\n');
    });

    it('removes nothing outside the prefixes of the token', async () => {
      const remove = (query: string) =>
        sendAs(
          { method: 'DELETE', path: `/v1/keys${query}`, scope: 'admin', status: 200 },
          tokens.cleaner,
        );
      for (const query of ['?all', '?prefix=theirs/', '?prefix=clean']) {
        assert.equal((await remove(query)).problem, 'key-not-permitted', query);
      }
      const put = {
        method: 'PUT',
        path: '/v1/objects/cleaned/1',
        scope: 'write',
        status: 201,
      } as const;
      await sendAs({ ...put, body: 'a' }, tokens.all);
      assert.match((await remove('?prefix=cleaned/')).text, /"matched":1,"removed":1/);
    });
  });

  describe('a batch', () => {
    it('answers 403 item by item, in every coding, and processes the other items', async () => {
      const keys = ['theirs/1', 'mine/1', 'theirs/1', 'mine/2', 'm'];
      const statuses = async (operation: string, body: object) => {
        const { text } = await sendAs(batch(operation, 'write', body), tokens.limited);
        const { items, failed } = JSON.parse(text) as {
          items: { status: number }[];
          failed: number;
        };
        assert.equal(failed, items.filter(({ status }) => status >= 400).length);
        return items.map(({ status }) => status);
      };
      assert.deepEqual(await statuses('put', itemsOf(...keys)), [403, 201, 403, 201, 403]);
      assert.deepEqual(await statuses('info', keysOf(...keys)), [403, 200, 403, 200, 403]);
      assert.deepEqual(await statuses('exists', keysOf(...keys)), [403, 200, 403, 200, 403]);
      assert.deepEqual(await statuses('get', keysOf(...keys)), [403, 200, 403, 200, 403]);
      for (const accept of ['multipart/mixed', 'application/vnd.safetensors']) {
        const unique = keysOf('theirs/1', 'mine/1', 'm');
        const answer = await requestChecked(gateway().url, {
          method: 'POST',
          path: '/v1/batch/get',
          headers: { ...authorization(tokens.limited.token), 'Content-Type': json, Accept: accept },
          body: JSON.stringify(unique),
        });
        assert.equal(answer.status, 200);
        assert.equal(answer.headers['batch-failed'], '2', accept);
        const text = answer.body.toString('latin1');
        assert.match(text, /key-not-permitted|403/, accept);
        assert.ok(text.includes('hi'), accept);
      }
      const form =
        '--b\r\nContent-Disposition: form-data; name="theirs/f"\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data; name="mine/f"\r\n\r\nx\r\n--b--\r\n';
      const sent = await requestChecked(gateway().url, {
        method: 'POST',
        path: '/v1/batch/put',
        headers: {
          ...authorization(tokens.limited.token),
          'Content-Type': 'multipart/form-data; boundary=b',
        },
        body: form,
      });
      assert.match(
        sent.body.toString(),
        /"key":"theirs\/f","status":403.*"key":"mine\/f","status":201/,
      );
      assert.deepEqual(
        await statuses('remove', keysOf(...keys, 'mine/f')),
        [403, 204, 403, 204, 403, 204],
      );
      const theirs = batch('exists', 'read', keysOf('theirs/1', 'theirs/f'));
      assert.doesNotMatch((await sendAs(theirs, tokens.all)).text, /"exists":true/);
    });
  });

  describe('a refusal', () => {
    it('comes before the body and needs no memory of the arena', async () => {
      await untilIdle(gateway().url);
      const length = 8 * 1024 * 1024;
      for (const [headers, status, slug] of [
        [{}, 401, 'token-required'],
        [authorization('mcg_a_b'), 401, 'token-invalid'],
        [authorization(tokens.read.token), 403, 'scope-missing'],
        [authorization(tokens.limited.token), 403, 'key-not-permitted'],
      ] as const) {
        const connection = await connectRaw(gateway().port);
        const expecting = { ...headers, 'Content-Length': length, Expect: '100-continue' };
        connection.send(requestHead('PUT', '/v1/objects/theirs/large', expecting));
        const answer = await connection.next({ method: 'PUT', path: '/v1/objects/theirs/large' });
        assert.deepEqual([answer.status, slugOf(answer)], [status, slug]);
        assert.equal(answer.headers['connection'], 'close');
        assert.equal(await metric(gateway().url, usedBlocks), 0);
        connection.send(Buffer.alloc(64 * 1024));
        connection.socket.end();
        assert.equal((await connection.closed()).reset, false);
        connection.destroy();
      }
    });

    it('on one request leaves the connection open for the next', async () => {
      const connection = await connectRaw(gateway().port);
      const target = '/v1/objects/absent';
      for (const [headers, status] of [
        [{}, 401],
        [authorization(tokens.write.token), 403],
        [authorization(tokens.read.token), 404],
        [authorization(tokens.expired.token), 401],
      ] as const) {
        connection.send(requestHead('GET', target, headers));
        assert.equal((await connection.next({ path: target })).status, status);
      }
      connection.destroy();
    });
  });

  describe('the status page', () => {
    const page = async (query: string, token?: TestToken): Promise<string> => {
      const headers = {
        Accept: 'text/html',
        ...(token === undefined ? {} : authorization(token.token)),
      };
      const { status, body } = await requestChecked(gateway().url, { path: `/${query}`, headers });
      assert.equal(status, 200);
      return String(body);
    };

    it('shows the pool and the devices only to admin, and the traffic as /metrics does', async () => {
      for (const token of [undefined, tokens.read, tokens.write]) {
        const shown = await page('', token);
        assert.match(shown, /GET \/v1\/cluster\/capacity<\/code> does/);
        assert.match(shown, /GET \/v1\/clients<\/code> does/);
        assert.doesNotMatch(shown, /DRAM|need a token, as <code>GET \/metrics/);
      }
      const shown = await page('', tokens.admin);
      assert.doesNotMatch(shown, /class="hidden"/);
      assert.match(shown, /<td>0<\/td>/);
    });

    it('looks up a key for a token that may read it', async () => {
      const put = { method: 'PUT', path: '/v1/objects/mine/status', body: 'value' };
      const { token } = tokens.all;
      await requestChecked(gateway().url, { ...put, headers: authorization(token) });
      for (const [asking, shows] of [
        [tokens.read, /5 bytes/],
        [tokens.limited, /5 bytes/],
        [tokens.write, /\/problems\/scope-missing/],
        [tokens.cleaner, /\/problems\/scope-missing/],
        [tokens.expired, /\/problems\/token-invalid/],
        [undefined, /\/problems\/token-required/],
      ] as const) {
        assert.match(await page('?key=mine/status', asking), shows);
      }
      assert.match(await page('?key=other', tokens.limited), /\/problems\/key-not-permitted/);
      await requestChecked(gateway().url, {
        ...{ method: 'DELETE', path: put.path, headers: authorization(token) },
      });
    });
  });

  describe('the checks for browsers', () => {
    const target = '/v1/objects/absent';
    const asked = async (headers: Record<string, string>, at = target) => {
      const connection = await connectRaw(gateway().port);
      connection.send(requestHead('GET', at, headers));
      const answer = await connection.next({ path: at });
      connection.destroy();
      return answer.status === 200 ? '200' : slugOf(answer);
    };

    it('accept any Host with a valid token, and report the token before the Host', async () => {
      const Host = 'gateway.example';
      assert.equal(await asked({ Host, ...authorization(tokens.read.token) }), 'object-not-found');
      assert.equal(await asked({ Host }), 'token-required');
      assert.equal(await asked({ Host, ...authorization('x') }), 'token-invalid');
      assert.equal(await asked({ Host }, '/livez'), 'host-not-allowed');
      assert.equal(await asked({ Host, ...authorization('x') }, '/livez'), 'host-not-allowed');
      assert.equal(await asked({ Host, ...authorization(tokens.read.token) }, '/livez'), '200');
    });

    it('accept no foreign Origin, and no second Host, even with a valid token', async () => {
      const valid = authorization(tokens.read.token);
      assert.equal(await asked({ ...valid, Origin: 'https://evil.example' }), 'origin-not-allowed');
      assert.equal(await asked({ ...valid, 'Sec-Fetch-Site': 'cross-site' }), 'origin-not-allowed');
      assert.equal(await asked({ ...valid, Host: 'a, b' }), 'malformed-request');
    });

    it('let a preflight pass without a token, as before', async () => {
      const headers = { 'Access-Control-Request-Method': 'PUT' };
      const preflight = { method: 'OPTIONS', path: target, headers };
      assert.equal((await requestChecked(gateway().url, preflight)).status, 405);
      const options = { method: 'OPTIONS', path: target };
      assert.equal((await requestChecked(gateway().url, options)).status, 401);
    });
  });

  describe('the log', () => {
    it('has the id of a token with its requests, and no token, secret, hash or key', async () => {
      const operation = {
        method: 'GET',
        path: '/v1/objects/a-secret-key',
        scope: 'read',
        status: 404,
      } as const;
      await sendAs(operation, tokens.read);
      const { id } = tokens.read.entry;
      const isLogged = () =>
        gateway()
          .logged()
          .some(({ tokenId, route, status }) => {
            return tokenId === id && route === '/v1/objects/{key}' && status === 404;
          });
      await until(isLogged);
      const output = gateway().stdout() + gateway().stderr();
      for (const { token, entry } of Object.values(tokens)) {
        assert.ok(!output.includes(token.slice(17)) && !output.includes(entry.sha256));
      }
      assert.doesNotMatch(output, /a-secret-key/);
    });
  });
});

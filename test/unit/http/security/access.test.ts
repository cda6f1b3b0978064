import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { interpretConfig } from '../../../../src/config/config.ts';
import { parseCommandLine } from '../../../../src/config/flags.ts';
import { Access } from '../../../../src/http/security/access.ts';
import type { Grant } from '../../../../src/http/security/grant.ts';
import { TokenTable } from '../../../../src/tokens/token-table.ts';
import { type TestToken, testToken } from '../../../helpers/process/token-files.ts';

function accessOf(words: string, tokens: readonly TestToken[] | null): Access {
  const interpreted = interpretConfig(parseCommandLine(words.split(' ').filter(Boolean)), {});
  assert.ok('config' in interpreted, JSON.stringify(interpreted));
  return new Access(interpreted.config, tokens?.map(({ entry }) => entry) ?? null);
}

interface Address {
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly destroyed?: boolean;
}

function identify(access: Access, authorization?: string, address: Address = {}): Grant {
  const headers = authorization === undefined ? {} : { authorization };
  const req = { headers, socket: { destroyed: false, ...address } };
  return access.identify(req as unknown as IncomingMessage);
}

const isAdmin = (access: Access, address: Address): boolean =>
  identify(access, undefined, address).scopes.includes('admin');

describe('without tokens, a request', () => {
  it('may do everything on loopback and Unix listeners, and needs no token', () => {
    for (const words of ['', '--listen unix:/g.sock,[::1]:1']) {
      const access = accessOf(words, null);
      assert.ok(isAdmin(access, { localAddress: '127.0.0.1', localPort: 8080 }));
      assert.ok(isAdmin(access, {}));
      assert.equal(access.needsToken('/v1/objects/a'), false);
      assert.equal(identify(access, 'Bearer mcg_a_b').refusal, undefined);
    }
  });

  it('has no admin scope on a listener beyond loopback', () => {
    const access = accessOf('--host 0.0.0.0 --insecure', null);
    for (const localAddress of ['10.0.0.1', '127.0.0.1', '::ffff:127.0.0.1']) {
      const { scopes } = identify(access, undefined, { localAddress, localPort: 8080 });
      assert.deepEqual(scopes, ['read', 'write'], localAddress);
    }
    assert.ok(!isAdmin(access, {}), 'there is no Unix listener');
  });

  it('is judged by its listener when there are several', () => {
    const access = accessOf('--insecure --listen 0.0.0.0:1,127.0.0.1:2,unix:/g.sock', null);
    assert.ok(!isAdmin(access, { localAddress: '127.0.0.1', localPort: 1 }));
    assert.ok(!isAdmin(access, { localAddress: '10.0.0.1', localPort: 2 }));
    assert.ok(isAdmin(access, { localAddress: '127.0.0.1', localPort: 2 }));
    assert.ok(isAdmin(access, {}));
    assert.ok(!isAdmin(access, { destroyed: true }));
  });

  it('has no admin scope where the port does not tell the listener', () => {
    const access = accessOf('--insecure --listen 10.0.0.1:0,127.0.0.1:0', null);
    assert.ok(!isAdmin(access, { localAddress: '127.0.0.1', localPort: 40_000 }));
  });
});

describe('with tokens, a request', () => {
  const one = testToken();
  const over = testToken({ expiresMs: 1 });
  const access = accessOf('', [one, over]);
  const challengeOf = ({ refusal }: Grant) => refusal?.options.headers?.['WWW-Authenticate'];
  const realm = 'Bearer realm="memcache-gateway"';

  it('has the grant of its token, whatever the case of the scheme and the number of blanks', () => {
    for (const scheme of ['Bearer ', 'bearer ', 'BEARER   ']) {
      assert.equal(identify(access, scheme + one.token), one.entry, scheme);
    }
  });

  it('without a bearer token is refused without an error, as the client may not know the scheme', () => {
    for (const header of [
      undefined,
      '',
      'Basic bWNn',
      `Token ${one.token}`,
      one.token,
      'Bearerx a',
    ]) {
      const grant = identify(access, header);
      assert.equal(grant.refusal?.slug, 'token-required', header);
      assert.equal(challengeOf(grant), realm);
      assert.deepEqual(grant.scopes, []);
    }
  });

  it('with a token that is not valid is refused with invalid_token', () => {
    const headers = [
      'Bearer',
      'Bearer x',
      `Bearer ${one.token}x`,
      `Bearer ${one.token}, Bearer ${one.token}`,
    ];
    for (const header of headers) {
      const grant = identify(access, header);
      assert.equal(grant.refusal?.slug, 'token-invalid', header);
      assert.equal(challengeOf(grant), `${realm}, error="invalid_token"`);
      assert.deepEqual(grant.scopes, []);
    }
  });

  it('with an expired token learns when it has expired', () => {
    const grant = identify(access, `Bearer ${over.token}`);
    assert.equal(grant.refusal?.slug, 'token-invalid');
    assert.match(grant.refusal?.message ?? '', /has expired at 1970-01-01T00:00:00\.001Z/);
    assert.equal(challengeOf(grant), `${realm}, error="invalid_token"`);
    assert.deepEqual(grant.scopes, []);
  });

  it('is verified once for a connection, until another token or other tokens come', (context) => {
    const verify = context.mock.method(TokenTable.prototype, 'verify');
    const changing = accessOf('', [one, over]);
    const socket = { destroyed: false };
    const ask = (header: string) => {
      const req = { headers: { authorization: header }, socket } as unknown as IncomingMessage;
      return changing.identify(req).refusal?.slug ?? 'permitted';
    };
    const right = `Bearer ${one.token}`;
    const wrong = [
      `${right}x`,
      right.slice(0, -1),
      `Bearer ${testToken().token}`,
      'Bearer x',
      'Basic x',
      '',
    ];
    for (let round = 0; round < 3; round += 1) assert.equal(ask(right), 'permitted');
    assert.equal(verify.mock.callCount(), 1);
    for (const header of wrong) {
      assert.notEqual(ask(header), 'permitted', header);
      assert.equal(ask(right), 'permitted');
    }
    assert.equal(ask(`Bearer ${over.token}`), 'token-invalid');
    assert.equal(ask(`Bearer ${over.token}`), 'token-invalid');
    assert.equal(ask(right), 'permitted');
    changing.setTokens([over.entry]);
    assert.equal(ask(right), 'token-invalid');
    changing.setTokens([{ ...one.entry, sha256: over.entry.sha256 }]);
    assert.equal(ask(right), 'token-invalid');
    changing.setTokens(null);
    assert.equal(ask(right), 'permitted');
  });

  it('of a connection that outlives its token is refused from the end on', (context) => {
    context.mock.timers.enable({ apis: ['Date'], now: 1000 });
    const short = testToken({ expiresMs: 1500 });
    const access = accessOf('', [short]);
    const socket = {};
    const req = { headers: { authorization: `Bearer ${short.token}` }, socket } as IncomingMessage;
    assert.equal(access.identify(req), short.entry);
    context.mock.timers.setTime(1499);
    assert.equal(access.identify(req), short.entry);
    context.mock.timers.setTime(1500);
    assert.equal(access.identify(req).refusal?.slug, 'token-invalid');
  });

  it('is judged by the newest tokens, also when there are none', () => {
    const changing = accessOf('', [one]);
    assert.equal(identify(changing, `Bearer ${one.token}`).id, one.entry.id);
    changing.setTokens([]);
    assert.equal(identify(changing, `Bearer ${one.token}`).refusal?.slug, 'token-invalid');
    assert.equal(changing.needsToken('/v1/objects/a'), true);
    const narrow = { ...one.entry, scopes: ['read'] as const };
    changing.setTokens([narrow]);
    assert.equal(identify(changing, `Bearer ${one.token}`), narrow);
  });

  it('needs one for every path below /v1/, for the protected parts, and never for health checks', () => {
    const needed = (words: string) => {
      const protecting = accessOf(`--token-file f ${words}`, []);
      return [
        '/v1/objects/a',
        '/v1/later',
        '/metrics',
        '/docs',
        '/',
        '/nowhere',
        '/livez',
        '/readyz',
      ].filter((path) => protecting.needsToken(path));
    };
    const data = ['/v1/objects/a', '/v1/later'];
    assert.deepEqual(needed(''), data);
    assert.deepEqual(needed('--protect metrics'), [...data, '/metrics']);
    assert.deepEqual(needed('--protect docs'), [...data, '/docs', '/', '/nowhere']);
    assert.deepEqual(needed('--protect metrics,docs'), [
      ...data,
      '/metrics',
      '/docs',
      '/',
      '/nowhere',
    ]);
  });
});

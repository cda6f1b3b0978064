import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ProblemError } from '../../../../src/errors/problems.ts';
import type { RouteTemplate } from '../../../../src/http/exchange.ts';
import { type Asked, authorize } from '../../../../src/http/security/authorize.ts';
import {
  everything,
  type Grant,
  nothing,
  overNetwork,
} from '../../../../src/http/security/grant.ts';
import { type Scope, scopes } from '../../../../src/tokens/token.ts';
import { openApiDocument } from '../../../helpers/openapi/openapi-document.ts';

const granted = (...given: Scope[]): Grant => ({ id: 'a1b2', scopes: given, prefixes: [] });

/** The problem of a request; undefined if it is permitted. */
function refusal(
  grant: Grant,
  method: string,
  route: RouteTemplate,
  key = '',
  parts: string[] = [],
) {
  const access: Asked['gateway']['access'] = { protects: (part) => parts.includes(part) };
  try {
    authorize({ gateway: { access }, grant, method, route, key });
    return undefined;
  } catch (error) {
    return error as ProblemError;
  }
}

const operations = Object.entries(openApiDocument.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({
    route: (path === '/problems' ? '/problems/{slug}' : path) as RouteTemplate,
    method: method.toUpperCase(),
    operation: operation,
  })),
);

describe('the scope of an operation', () => {
  it('is the one that openapi.yaml names, and no other suffices', () => {
    let checked = 0;
    for (const { route, method, operation } of operations) {
      const named = operation['x-scope'];
      if (named === undefined) continue;
      checked += 1;
      for (const scope of scopes) {
        const problem = refusal(granted(scope), method, route);
        assert.equal(
          problem?.slug,
          named === scope ? undefined : 'scope-missing',
          `${operation.operationId} ${scope}`,
        );
      }
      const others = scopes.filter((scope) => scope !== named);
      assert.match(
        refusal(granted(...others), method, route)?.message ?? '',
        new RegExp(`the scope ${named},`),
      );
      assert.equal(refusal(nothing, method, route)?.slug, 'token-required');
      assert.equal(refusal(everything, method, route), undefined);
    }
    assert.equal(checked, operations.filter(({ route }) => route.startsWith('/v1/')).length);
  });

  it('is named in WWW-Authenticate to the owner of a token, and only explained without tokens', () => {
    const problem = refusal(granted('read'), 'PUT', '/v1/objects/{key}', 'a');
    assert.deepEqual(problem?.options.headers, {
      'WWW-Authenticate':
        'Bearer realm="memcache-gateway", error="insufficient_scope", scope="write"',
    });
    const network = refusal(overNetwork, 'GET', '/v1/clients');
    assert.equal(network?.options.headers, undefined);
    assert.match(network?.message ?? '', /only loopback and Unix listeners/);
  });

  it('of a method without one is admin, so that a forgotten row grants nothing', () => {
    assert.equal(
      refusal(granted('read', 'write'), 'POST', '/v1/objects/{key}')?.slug,
      'scope-missing',
    );
    assert.equal(
      refusal(granted('read', 'write'), 'constructor', '/v1/objects/{key}')?.slug,
      'scope-missing',
    );
  });
});

describe('open operations', () => {
  const [health, metrics] = [['/livez', '/readyz'], ['/metrics']] as const;
  const pages = [
    '/',
    '/docs',
    '/openapi.json',
    '/openapi.yaml',
    '/problems/{slug}',
    'other',
  ] as const;

  it('need no token unless they are protected, and then any token', () => {
    const all = ['metrics', 'docs'];
    for (const route of [...health, ...metrics, ...pages]) {
      const isHealth = health.some((name) => name === route);
      assert.equal(refusal(nothing, 'GET', route), undefined, route);
      assert.equal(
        refusal(nothing, 'GET', route, '', all)?.slug,
        isHealth ? undefined : 'token-required',
        route,
      );
      assert.equal(refusal(granted('write'), 'GET', route, '', all), undefined, route);
    }
    assert.equal(refusal(nothing, 'GET', '/docs', '', ['metrics']), undefined);
    assert.equal(refusal(nothing, 'GET', '/metrics', '', ['docs']), undefined);
  });
});

describe('the prefixes of a token', () => {
  const limited = { ...granted('read'), prefixes: ['model-a/', 'ä'] };

  it('permit keys that begin with one of them, character by character', () => {
    for (const key of ['model-a/', 'model-a/x', 'model-a/../x', 'ä', 'äx']) {
      assert.equal(refusal(limited, 'GET', '/v1/objects/{key}', key), undefined, key);
    }
    for (const key of [
      'model-a',
      'model-ab',
      'Model-a/x',
      'x/model-a/',
      'a',
      '/model-a/',
      'a\u0308',
    ]) {
      const problem = refusal(limited, 'GET', '/v1/objects/{key}', key);
      assert.equal(problem?.slug, 'key-not-permitted', key);
      assert.match(problem?.message ?? '', /the token a1b2 permits only .*'model-a\/', 'ä'\.$/i);
    }
  });

  it('are checked after the scope', () => {
    assert.equal(refusal(limited, 'PUT', '/v1/objects/{key}', 'other')?.slug, 'scope-missing');
  });

  it('are listed up to three', () => {
    const many = { ...limited, prefixes: ['a/', 'b/', 'c/', 'd/', 'e/'] };
    assert.match(
      refusal(many, 'GET', '/v1/info/{key}', 'x')?.message ?? '',
      /'a\/', 'b\/', 'c\/' and 2 more\.$/,
    );
  });
});

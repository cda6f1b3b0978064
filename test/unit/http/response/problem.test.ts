import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type ProblemOptions,
  type ProblemSlug,
  problemKinds,
} from '../../../../src/errors/problems.ts';
import { problemResponse } from '../../../../src/http/response/problem.ts';

function answer(slug: ProblemSlug, options: ProblemOptions = {}) {
  const response = problemResponse(slug, { requestId: 'r-1', instance: '/v1/x', ...options });
  return { ...response, json: JSON.parse(response.body) as Record<string, unknown> };
}

describe('problemResponse', () => {
  it('gives each kind its status, title, type and retryability, and Retry-After if it is retryable', () => {
    for (const slug of Object.keys(problemKinds) as ProblemSlug[]) {
      const kind = problemKinds[slug];
      const { status, headers, json } = answer(slug);
      assert.equal(status, kind.status);
      assert.deepEqual(json, {
        type: `/problems/${slug}`,
        title: kind.title,
        status: kind.status,
        detail: kind.help,
        instance: '/v1/x',
        retryable: kind.retryable,
        requestId: 'r-1',
      });
      assert.equal(headers['Retry-After'] !== undefined, kind.retryable, slug);
      assert.equal(headers['X-Request-Id'], 'r-1');
      assert.equal(headers['Content-Type'], 'application/problem+json');
      assert.equal(headers['Cache-Control'], 'no-store');
    }
  });

  it('contains the detail, the code and name of the engine, and further members', () => {
    const { json } = answer('no-room', {
      detail: 'because',
      code: -3016,
      name: 'MMC_NOT_ENOUGH_MEMORY',
      members: { limitBytes: 7 },
    });
    assert.equal(json['detail'], 'because');
    assert.equal(json['code'], -3016);
    assert.equal(json['name'], 'MMC_NOT_ENOUGH_MEMORY');
    assert.equal(json['limitBytes'], 7);
  });

  it('allows a retryable case of a kind that is not, with Retry-After', () => {
    const retryable = answer('engine-timeout', { retryable: true });
    assert.equal(retryable.json['retryable'], true);
    assert.equal(retryable.headers['Retry-After'], '1');
    const not = answer('engine-timeout', { retryable: false });
    assert.equal(not.json['retryable'], false);
    assert.equal(not.headers['Retry-After'], undefined);
  });

  it('has no Retry-After if the case is not retryable although its kind is', () => {
    const { json, headers } = answer('no-room', { retryable: false });
    assert.equal(json['retryable'], false);
    assert.equal(headers['Retry-After'], undefined);
  });

  it('adds the headers of the case, and a Content-Length in bytes', () => {
    const { headers, body } = answer('method-not-allowed', {
      headers: { Allow: 'GET' },
      detail: 'é€😀',
    });
    assert.equal(headers['Allow'], 'GET');
    assert.equal(headers['Content-Length'], String(Buffer.byteLength(body)));
  });

  it('gives the request target as a URI reference, whatever bytes it has', () => {
    const instanceOf = (target: string) => {
      const { body } = problemResponse('invalid-key', { requestId: 'r', instance: target });
      return (JSON.parse(body) as { instance: string }).instance;
    };
    for (const target of ['/v1/objects/a%2Fb?c=d&e', '/', '*', "/~-._!$&'()*+,;=:@", '/%e2%82']) {
      assert.equal(instanceOf(target), target);
    }
    assert.equal(instanceOf('/%zz%'), '/%25zz%25');
    assert.equal(
      instanceOf('/a"b<c>d\\e^f`g{h}|[i]#j'),
      '/a%22b%3cc%3ed%5ce%5ef%60g%7bh%7d%7c%5bi%5d%23j',
    );
    // node:http returns raw bytes as one character each.
    assert.equal(instanceOf('/\u00e2\u0082\u00ac'), '/%e2%82%ac');
    assert.equal(instanceOf('example.org:443'), 'example.org:443');
    assert.equal(instanceOf('127.0.0.1:443'), './127.0.0.1:443');
    assert.equal(instanceOf('my_host:443/a:b'), './my_host:443/a:b');
    assert.equal(instanceOf('/a:b'), '/a:b');
  });

  it('omits unknown members', () => {
    const { json } = answer('internal-error');
    for (const member of ['code', 'name']) assert.equal(member in json, false);
    const body = JSON.parse(problemResponse('not-ready', { requestId: 'r' }).body) as object;
    assert.equal('instance' in body, false);
  });
});

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { isolationFields } from '../../../src/http/response/headers.ts';
import { checkResponse, fetchChecked, requestChecked } from '../../helpers/openapi/openapi.ts';

const id = 'abc-1';
const general = { 'x-request-id': id, 'cache-control': 'no-store', ...isolationFields };
const created = { ...general, 'memcache-outcome': 'created', location: '/v1/objects/kv%2F1' };
const json = { ...general, 'content-type': 'application/json' };
const problemHeaders = { ...general, 'content-type': 'application/problem+json' };

function problem(changes: Record<string, unknown> = {}): string {
  return JSON.stringify({
    type: '/problems/object-not-found',
    title: 'There is no object with this key',
    status: 404,
    detail: 'There is no object with this key.',
    retryable: false,
    requestId: id,
    ...changes,
  });
}

const get = { method: 'GET', path: '/v1/objects/kv/1' };
const put = { method: 'PUT', path: '/v1/objects/kv/1?replicas=2' };
const info = { method: 'GET', path: '/v1/info/a' };
const keyInfo = { key: 'a', size: 1, replicas: [{ serviceId: 0, medium: 'DRAM' }] };

function rejects(received: Parameters<typeof checkResponse>[0], fault: RegExp): void {
  assert.throws(() => checkResponse(received), { name: 'AssertionError', message: fault });
}

describe('checkResponse', () => {
  it('accepts responses as they are described', () => {
    checkResponse({ ...put, status: 201, headers: created, body: '' });
    checkResponse({ ...info, status: 200, headers: json, body: JSON.stringify(keyInfo) });
    checkResponse({ ...get, status: 404, headers: problemHeaders, body: problem() });
    checkResponse({ method: 'DELETE', path: '/v1/objects/a', status: 204, headers: general });
    checkResponse({
      ...get,
      status: 200,
      headers: {
        ...general,
        'content-type': 'application/octet-stream',
        'content-length': '3',
        'accept-ranges': 'bytes',
        'content-disposition': 'attachment; filename="1"',
      },
      body: Buffer.from([0, 255, 7]),
    });
  });

  it('finds the operation of any key, including slashes, line breaks and escapes', () => {
    for (const key of ['a', 'a/b/c', '/', '//', '%2F', 'a%0Ab', 'a\nb', '%', 'docs', '../x', '']) {
      checkResponse({
        method: 'GET',
        path: `/v1/objects/${key}`,
        status: 404,
        headers: problemHeaders,
        body: problem(),
      });
    }
  });

  it('rejects a status that is not declared', () => {
    rejects({ ...get, status: 418, headers: general }, /status 418 is not declared for getObject/);
    rejects({ ...info, status: 206, headers: json }, /status 206 is not declared for getInfo/);
  });

  it('rejects a missing header, one of the wrong form and an undeclared one', () => {
    const without = { ...created, location: undefined };
    rejects({ ...put, status: 201, headers: without }, /header Location is missing/);
    rejects(
      { ...put, status: 201, headers: { ...created, location: 'kv 1' } },
      /header Location: "kv 1": it must match pattern/,
    );
    rejects(
      { ...put, status: 201, headers: { ...created, 'memcache-outcome': 'kept' } },
      /header Memcache-Outcome: "kept"/,
    );
    rejects(
      { ...put, status: 201, headers: { ...created, 'memcache-colour': 'red' } },
      /header memcache-colour is not declared/,
    );
    const late = { ...problemHeaders, 'retry-after': 'soon' };
    rejects({ ...get, status: 404, headers: late, body: problem() }, /Retry-After: "soon"/);
  });

  it('accepts headers in the forms of fetch and http', () => {
    checkResponse({ ...put, status: 201, headers: new Headers(created) });
    checkResponse({ ...put, status: 201, headers: { ...created, vary: ['Origin', 'Accept'] } });
    rejects({ ...put, status: 201, headers: new Headers(general) }, /Location is missing/);
  });

  it('rejects a content type that is not declared', () => {
    const headers = { ...general, 'content-type': 'text/html; charset=utf-8' };
    rejects({ ...info, status: 200, headers, body: '<p>' }, /content type "text\/html" is not/);
    rejects({ ...info, status: 200, headers: general, body: '{}' }, /content type "" is not/);
  });

  it('rejects a body of the wrong shape, with unknown members, of another length and without JSON', () => {
    const answer = (value: unknown) => ({
      ...info,
      status: 200,
      headers: json,
      body: String(value),
    });
    const answerJson = (value: unknown) => answer(JSON.stringify(value));
    rejects(answerJson({ ...keyInfo, colour: 'red' }), /additional properties \(colour\)/);
    rejects(answerJson({ ...keyInfo, size: 0 }), /\/size must be >= 1/);
    rejects(
      answerJson({ ...keyInfo, replicas: [{ serviceId: 0, medium: 'TAPE' }] }),
      /\/replicas\/0\/medium must be equal to one of/,
    );
    rejects(answerJson({ key: 'a', size: 1 }), /must have required property 'replicas'/);
    rejects(answer('{"key":'), /the body is not JSON/);
    rejects(
      { ...answerJson(keyInfo), headers: { ...json, 'content-length': '5' } },
      /Content-Length is 5, the body has/,
    );
    rejects({ ...info, status: 200, headers: json, body: Buffer.from([0xff]) }, /not JSON/);
  });

  it('rejects a body where none is declared', () => {
    rejects({ ...put, status: 201, headers: created, body: 'x' }, /a body of 1 bytes/);
    rejects(
      { method: 'HEAD', path: '/v1/objects/a', status: 404, headers: general, body: problem() },
      /a body of \d+ bytes where none/,
    );
  });

  it('compares a problem with the table of problems and its own headers', () => {
    const answer = (changes: Record<string, unknown>, headers = {}) => ({
      ...get,
      status: 404,
      headers: { ...problemHeaders, ...headers },
      body: problem(changes),
    });
    rejects(
      answer({ type: '/problems/no-such-kind' }),
      /no-such-kind is not in src\/errors\/problems.ts/,
    );
    rejects(answer({ type: '/problems/no-room' }), /no-room goes with 507, not with 404/);
    rejects(answer({ status: 400 }), /the member status is not the status/);
    rejects(answer({ requestId: 'other' }), /requestId is not X-Request-Id/);
    rejects(answer({ retryable: true }), /no Retry-After/);
    rejects(answer({ code: 0 }), /\/code must NOT be valid/);
    rejects(answer({ detail: undefined }), /must have required property 'detail'/);
    checkResponse(answer({ retryable: true }, { 'retry-after': '1' }));
  });

  it('rejects a problem and a header that do not belong to the operation or the status', () => {
    const type = '/problems/layers-mismatch';
    const body = problem({ type, status: 422 });
    rejects(
      { ...put, status: 422, headers: problemHeaders, body },
      /layers-mismatch is not declared/,
    );
    checkResponse({ ...put, path: '/v1/layers/a', status: 422, headers: problemHeaders, body });
    rejects(
      { ...get, status: 403, headers: { ...problemHeaders, allow: 'GET' }, body: '{}' },
      /header allow is not declared/,
    );
    rejects(
      { ...get, status: 503, headers: problemHeaders, body: '{}' },
      /header Retry-After is missing/,
    );
  });

  it('expects 405 with Allow for a method that the resource does not support', () => {
    const type = '/problems/method-not-allowed';
    const body = problem({ type, status: 405 });
    const answer = { method: 'POST', path: '/v1/objects/a', status: 405, body };
    checkResponse({ ...answer, headers: { ...problemHeaders, allow: 'GET, PUT' } });
    rejects({ ...answer, headers: problemHeaders }, /header Allow is missing/);
    rejects(
      { ...answer, status: 200, headers: json },
      /\/v1\/objects\/\{key\} lacks \(expected 405\)/,
    );
  });

  it('expects 404 for an unknown path and allows general refusals everywhere', () => {
    const type = '/problems/no-such-resource';
    const path = '/v2/objects/a';
    const body = problem({ type });
    checkResponse({ method: 'GET', path, status: 404, headers: problemHeaders, body });
    rejects({ method: 'GET', path, status: 200, headers: json, body: '{}' }, /an unknown path/);
    checkResponse({
      method: 'GET',
      path: undefined,
      status: 400,
      headers: problemHeaders,
      body: problem({ type: '/problems/malformed-request', status: 400 }),
    });
  });

  it('treats HEAD like GET if only GET is described', () => {
    const headers = { ...json, 'content-length': '17' };
    checkResponse({ method: 'HEAD', path: '/livez', status: 200, headers });
    rejects({ method: 'HEAD', path: '/livez', status: 207, headers }, /207 is not declared/);
  });

  it('names every fault at once', () => {
    const received = { ...info, status: 200, headers: { 'content-type': 'text/plain' }, body: 'x' };
    rejects(received, /X-Request-Id is missing\n- .*Cache-Control is missing\n- content type/);
  });
});

describe('fetchChecked and requestChecked', () => {
  it('check the response of a server and return it', async (t) => {
    const server = createServer((request, response) => {
      const status = request.url === '/livez' || request.url === '/v1/info/../x' ? 200 : 299;
      const body = request.url === '/livez' ? '{"status":"live"}' : JSON.stringify(keyInfo);
      response.writeHead(status, json).end(body);
    });
    await new Promise<void>((done) => {
      server.listen(0, '127.0.0.1', done);
    });
    t.after(() => server.close());
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

    const response = await fetchChecked(`${origin}/livez`);
    assert.deepEqual(await response.json(), { status: 'live' });
    await assert.rejects(fetchChecked(`${origin}/readyz`), /status 299 is not declared/);

    const raw = await requestChecked(origin, { path: '/v1/info/../x' });
    assert.deepEqual(JSON.parse(raw.body.toString()), keyInfo);
    await assert.rejects(requestChecked(origin, { path: '/readyz' }), /status 299 is not declared/);
  });
});

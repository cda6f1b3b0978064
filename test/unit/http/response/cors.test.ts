import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import {
  ALLOWED_HEADERS,
  ALLOWED_METHODS,
  allowedOrigins,
  EXPOSED_HEADERS,
} from '../../../../src/http/response/cors.ts';

describe('a list of origins', () => {
  it('allows each origin as it is, in any case, and no other', () => {
    const allowed = allowedOrigins(['https://console.example', 'http://b:8080']);
    for (const origin of ['https://console.example', 'HTTPS://Console.Example', 'http://b:8080']) {
      assert.equal(allowed(origin), origin);
    }
    for (const origin of [
      ...['http://console.example', 'https://console.example:444', 'https://a.console.example'],
      ...['https://console.example.evil', 'https://consoleXexample', 'null', '', 'http://b'],
    ]) {
      assert.equal(allowed(origin), undefined, origin);
    }
    assert.equal(allowed(undefined), undefined);
  });

  it('allows the names below a domain, and neither the domain nor other sites', () => {
    const allowed = allowedOrigins(['https://*.example.com', 'http://*.lab.example:8080']);
    for (const origin of [
      ...['https://a.example.com', 'https://a.b-2.example.com', 'https://A.Example.Com'],
      'http://x.lab.example:8080',
    ]) {
      assert.equal(allowed(origin), origin);
    }
    for (const origin of [
      ...['https://example.com', 'http://a.example.com', 'https://a.example.com:444'],
      ...['https://aXexample.com', 'https://a.example.com.evil', 'https://evil.com/.example.com'],
      ...['https://evil#.example.com', 'https://.example.com', 'https://a..example.com'],
      ...['https://u:p@a.example.com', 'http://x.lab.example', 'https://*.example.com'],
    ]) {
      assert.equal(allowed(origin), undefined, origin);
    }
  });

  it('takes little time for a long origin that does not fit', () => {
    const allowed = allowedOrigins(['https://*.example.com']);
    assert.equal(allowed(`https://${'a.'.repeat(7_000)}x`), undefined);
    assert.equal(allowed(`https://${'a'.repeat(14_000)}!`), undefined);
  });
});

describe('the lists of CORS', () => {
  interface Described {
    readonly paths: Record<string, Record<string, { responses?: Record<string, Response> }>>;
    readonly components: { responses: Record<string, Response> };
  }
  interface Response {
    readonly $ref?: string;
    readonly headers?: Record<string, unknown>;
  }
  const text = readFileSync(new URL('../../../../openapi.yaml', import.meta.url), 'utf8');
  const { paths, components } = parse(text) as Described;
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    path.startsWith('/v1/') ? Object.entries(item) : [],
  );

  it('expose every response header of the API', () => {
    const responses = operations.flatMap(([, { responses = {} }]) => Object.values(responses));
    const named = responses.map(({ $ref, ...own }) =>
      $ref === undefined ? own : components.responses[$ref.split('/').at(-1) ?? ''],
    );
    const headers = new Set(named.flatMap((each) => Object.keys(each?.headers ?? {})));
    // Every page may read these (W3C Fetch), or they say nothing to a page.
    const others = ['Cache-Control', 'Content-Security-Policy', 'Content-Type', 'ETag', 'Vary'];
    for (const name of headers) {
      assert.ok([...EXPOSED_HEADERS, ...others].includes(name), name);
    }
  });

  it('allow every method and request header of the API', () => {
    for (const [method] of operations) {
      if (method === 'parameters') continue;
      assert.ok(ALLOWED_METHODS.includes(method.toUpperCase()), method);
    }
    const used = new Set(
      [...text.matchAll(/name: ([A-Z][\w-]+)\n\s+in: header/g)].map(([, n]) => n),
    );
    assert.ok(used.size > 3);
    // No page may set Expect (W3C Fetch).
    used.delete('Expect');
    for (const name of used) assert.ok(ALLOWED_HEADERS.includes(name ?? ''), name);
  });
});

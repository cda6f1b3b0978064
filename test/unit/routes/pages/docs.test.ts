import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import express, { type ErrorRequestHandler } from 'express';
import { ProblemError, problemKinds } from '../../../../src/errors/problems.ts';
import { problemResponse } from '../../../../src/http/response/problem.ts';
import { docsRoutes } from '../../../../src/routes/pages/docs.ts';
import { fetchChecked, requestChecked } from '../../../helpers/openapi/openapi.ts';
import { documentFile } from '../../../helpers/openapi/openapi-document.ts';

const servers: Server[] = [];

/** The routes like the application mounts them: behind a request id, before its error handler. */
async function serve({ tls }: { tls: boolean }): Promise<string> {
  const app = express();
  app.disable('x-powered-by');
  app.use((req, res, next) => {
    res.setHeader('X-Request-Id', 'id-1');
    if (tls) Object.assign(req.socket, { encrypted: true });
    next();
  });
  app.use(await docsRoutes());
  app.use(() => {
    throw new ProblemError('no-such-resource');
  });
  const onError: ErrorRequestHandler = (error: unknown, _req, res, _next) => {
    const { slug, options: problem } =
      error instanceof ProblemError ? error : new ProblemError('internal-error');
    const answer = problemResponse(slug, { ...problem, requestId: 'id-1' });
    res.writeHead(answer.status, answer.headers).end(answer.body);
  };
  app.use(onError);
  const server = createServer(app);
  servers.push(server);
  await new Promise<void>((listening) => {
    server.listen(0, '127.0.0.1', listening);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

let origin: string;
before(async () => {
  origin = await serve({ tls: false });
});
after(() => {
  for (const server of servers) server.close().closeAllConnections();
});

describe('/docs', () => {
  it('is one page with and without a trailing slash, and the gateway serves all its files', async () => {
    const html = await (await fetchChecked(`${origin}/docs`)).text();
    assert.equal(await (await fetch(`${origin}/docs/`)).text(), html);
    const named = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
    assert.ok(named.length >= 5);
    for (const path of named) {
      const response = await fetch(origin + path);
      assert.equal(response.status, 200, path);
      assert.ok((await response.arrayBuffer()).byteLength > 0);
    }
  });

  it('has no inline script or style, and a policy that allows none', async () => {
    const response = await fetchChecked(`${origin}/docs`);
    const html = await response.text();
    assert.doesNotMatch(html, /<style|style=|<script>| on[a-z]+=/);
    assert.deepEqual(response.headers.get('content-security-policy')?.split(';').sort(), [
      "base-uri 'none'",
      "connect-src 'self'",
      "default-src 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "img-src 'self' data:",
      "script-src 'self'",
      "style-src 'self'",
    ]);
  });

  it('sends headers about its origin only over TLS, and none that concerns the plain listeners', async () => {
    const names = ['cross-origin-opener-policy', 'origin-agent-cluster'];
    const plain = await fetchChecked(`${origin}/docs`);
    const secure = await fetchChecked(`${await serve({ tls: true })}/docs`);
    for (const name of names) {
      assert.equal(plain.headers.has(name), false, name);
      assert.equal(secure.headers.has(name), true, name);
    }
    assert.equal(secure.headers.has('strict-transport-security'), false);
  });

  it('serves only the needed files of the package', async () => {
    for (const name of [
      'index.html',
      'package.json',
      'swagger-initializer.js',
      '..%2fpackage.json',
    ]) {
      const response = await requestChecked(origin, { path: `/docs/${name}` });
      assert.equal(response.status, 404, name);
    }
  });

  it('uses no outside server', async () => {
    const script = await (await fetch(`${origin}/docs/swagger-ui-init.js`)).text();
    assert.match(script, /"validatorUrl": null/);
    assert.match(script, /"swaggerUrl": "\/openapi.json"/);
    assert.doesNotMatch(script, /https?:\/\//);
  });

  it('is case-sensitive and refuses other methods and unknown parameters', async () => {
    assert.equal((await fetchChecked(`${origin}/Docs`)).status, 404);
    const post = await fetchChecked(`${origin}/docs`, { method: 'POST' });
    assert.equal(post.status, 405);
    assert.equal(post.headers.get('allow'), 'GET, HEAD');
    assert.equal((await fetchChecked(`${origin}/docs?x=1`)).status, 400);
  });
});

describe('/openapi.json and /openapi.yaml', () => {
  it('serve openapi.yaml unchanged, and the same content as JSON', async () => {
    const yaml = await (await fetchChecked(`${origin}/openapi.yaml`)).text();
    assert.equal(yaml, readFileSync(documentFile, 'utf8'));
    const json = (await (await fetchChecked(`${origin}/openapi.json`)).json()) as { paths: object };
    assert.ok('/v1/objects/{key}' in json.paths);
  });

  it('are sent again only after a change', async () => {
    for (const path of ['/', '/openapi.json', '/openapi.yaml', '/docs', '/problems']) {
      const first = await fetchChecked(origin + path);
      const etag = first.headers.get('etag') ?? '';
      for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
        const headers = { 'If-None-Match': tag };
        assert.equal(
          (await fetchChecked(origin + path, { headers })).status,
          304,
          `${path} ${tag}`,
        );
      }
      const headers = { 'If-None-Match': '"other"' };
      assert.equal((await fetchChecked(origin + path, { headers })).status, 200);
    }
  });

  it('respond to HEAD with the length and no body', async () => {
    const response = await requestChecked(origin, { method: 'HEAD', path: '/openapi.yaml' });
    assert.equal(response.status, 200);
    assert.equal(Number(response.headers['content-length']), readFileSync(documentFile).length);
  });
});

describe('/', () => {
  it('links to paths that exist, for programs', async () => {
    const json = await fetchChecked(`${origin}/`);
    const { name, links } = (await json.json()) as { name: string; links: { href: string }[] };
    assert.equal(name, 'memcache-gateway');
    for (const path of ['/docs', '/openapi.yaml', '/problems']) {
      assert.ok(links.some(({ href }) => href === path));
      assert.equal((await fetchChecked(origin + path)).status, 200, path);
    }
  });
});

describe('/problems', () => {
  it('explains every kind, as JSON unless HTML is preferred', async () => {
    for (const [slug, kind] of Object.entries(problemKinds)) {
      const json = await fetchChecked(`${origin}/problems/${slug}`);
      assert.deepEqual(await json.json(), { type: `/problems/${slug}`, ...kind });
      const accept = 'text/html,application/xhtml+xml,*/*;q=0.8';
      const html = await fetchChecked(`${origin}/problems/${slug}`, { headers: { accept } });
      assert.match(html.headers.get('content-type') ?? '', /^text\/html/);
      assert.equal(html.headers.get('vary'), 'Accept');
      assert.match(await html.text(), new RegExp(`<code>${slug}</code>`));
    }
  });

  it('lists every kind', async () => {
    const list = (await (await fetchChecked(`${origin}/problems`)).json()) as {
      problems: { type: string }[];
    };
    const types = list.problems.map(({ type }) => type).sort();
    assert.deepEqual(
      types,
      Object.keys(problemKinds)
        .map((slug) => `/problems/${slug}`)
        .sort(),
    );
  });

  it('allows its pages exactly their own style', async () => {
    const response = await fetchChecked(`${origin}/problems`, { headers: { accept: 'text/html' } });
    const style = /<style>(.*)<\/style>/s.exec(await response.text())?.[1] ?? '';
    const digest = createHash('sha256').update(style).digest('base64');
    const policy = response.headers.get('content-security-policy') ?? '';
    assert.ok(policy.split(';').includes(`style-src 'sha256-${digest}'`));
    assert.ok(policy.includes("default-src 'none'"));
  });

  it('returns 404 for an unknown slug', async () => {
    for (const slug of ['no-such-kind', 'toString', '__proto__', '%3Cscript%3E', 'No-Room', '%']) {
      const response = await requestChecked(origin, { path: `/problems/${slug}` });
      assert.equal(response.status, 404, slug);
    }
  });
});

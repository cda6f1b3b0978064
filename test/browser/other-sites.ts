/** A page of another site, in a real browser, against the gateway on a loopback address. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { sharedChromium } from '../helpers/http/chromium.ts';
import { type ReadyGateway, startGateway } from '../helpers/process/gateway.ts';
import { sharedGateway } from '../helpers/process/shared-gateway.ts';
import { until } from '../helpers/process/until.ts';
import { gatewayFlags } from './gateway-flags.ts';

/** The facts that a page can learn about a URL: the event of each element, the kind of response of each fetch. */
type Seen = Record<string, string>;

/** Each frame takes a process of the browser. */
const FRAMES = ['iframe', 'object'];

/** Runs in the page. Every element either loads or fails; a refused frame loads an error page. */
const probe = async ([url, left]: readonly [string, readonly string[]]): Promise<Seen> => {
  const seen: Seen = {};
  for (const mode of ['no-cors', 'cors'] as const) {
    try {
      const response = await fetch(url, { mode, cache: 'no-store' });
      seen[mode] = `${response.type} ${response.status} ${(await response.text()).length}`;
    } catch {
      seen[mode] = 'failed';
    }
  }
  const elements = [
    ['script', 'src'],
    ['img', 'src'],
    ['link', 'href'],
    ['iframe', 'src'],
    ['object', 'data'],
    ['video', 'src'],
  ] as const;
  for (const [name, attribute] of elements) {
    if (left.includes(name)) continue;
    const element = document.createElement(name);
    if (name === 'link') element.setAttribute('rel', 'stylesheet');
    seen[name] = await new Promise((resolve) => {
      for (const event of ['load', 'loadeddata', 'error']) {
        element.addEventListener(event, () => resolve(event));
      }
      element.setAttribute(attribute, url);
      document.body.append(element);
    });
    if (element instanceof HTMLIFrameElement) {
      try {
        // A frame of another origin has no document for the page.
        seen['frame document'] = element.contentDocument === null ? 'hidden' : 'readable';
      } catch {
        seen['frame document'] = 'hidden';
      }
    }
    element.remove();
  }
  return seen;
};

describe('a page of another site', () => {
  let browser: Browser;
  let other: Server;
  let origin: string;
  let gateway: ReadyGateway;
  let page: Page;

  before(async () => {
    browser = await sharedChromium();
    other = createServer((req, res) => {
      res.setHeader('Content-Type', 'text/html');
      const paths = ['/', '/docs', '/problems', '/problems/object-not-found', '/none'];
      const links = [...paths, '/v1/objects/there']
        .map((path) => `<a href="${gateway.url}${path}">${path}</a>`)
        .join(' ');
      res.end(req.url === '/' ? `<h1>other</h1>${links}` : '');
    }).listen(0, 'localhost');
    await once(other, 'listening');
    origin = `http://localhost:${(other.address() as AddressInfo).port}`;
    gateway = await sharedGateway(gatewayFlags);
    const body = Buffer.alloc(100_000, 'x');
    const put = await fetch(`${gateway.url}/v1/objects/there`, { method: 'PUT', body });
    assert.equal(put.status, 201);
  });
  beforeEach(async () => {
    page = await browser.newPage();
    await page.goto(`${origin}/`);
  });
  afterEach(() => page.close());
  after(() => {
    other.close();
  });

  /** Data requests that the gateway has logged since `from`; a request refused early has no route. */
  const requestsSince = (from: number, gatewayOf = gateway) =>
    gatewayOf
      .logged()
      .slice(from)
      .filter(({ route }) => route === 'other' || String(route).startsWith('/v1/'));

  it('reads nothing and cannot tell present keys from missing ones', async () => {
    const from = gateway.logged().length;
    for (const path of ['/v1/objects/', '/v1/info/', '/v1/layers/']) {
      const query = path === '/v1/layers/' ? '?sizes=100000' : '';
      // One path is enough for frames: every response below /v1/ forbids them.
      const left = path === '/v1/objects/' ? [] : FRAMES;
      const ask = (key: string) =>
        page.evaluate(probe, [`${gateway.url}${path}${key}${query}`, left] as const);
      const there = await ask('there');
      const missing = await ask('missing');
      assert.deepEqual(there, missing, path);
      assert.equal(there['no-cors'], 'failed', path);
      assert.equal(there['cors'], 'failed', path);
      assert.equal(there['script'], 'error', path);
      assert.equal(there['img'], 'error', path);
      assert.equal(there['video'], 'error', path);
      if (left.length === 0) assert.equal(there['frame document'], 'hidden', path);
    }
    await until(() => requestsSince(from).length >= 2 * (8 + 6 + 6));
    for (const { status, problem } of requestsSince(from)) {
      assert.deepEqual([status, problem], [403, 'origin-not-allowed']);
    }
  });

  it('has no effect with a request that needs no preflight', async () => {
    const from = gateway.logged().length;
    await page.evaluate(async (url) => {
      const body = new FormData();
      body.set('planted', 'x');
      await fetch(url, { method: 'POST', mode: 'no-cors', body }).catch(() => undefined);
    }, `${gateway.url}/v1/batch/put`);
    await until(() => requestsSince(from).length === 1);
    assert.equal((await fetch(`${gateway.url}/v1/objects/planted`)).status, 404);
  });

  it('can link to the pages for people, but not to objects', async () => {
    for (const [path, title] of [
      ['/docs', 'memcache-gateway: API'],
      ['/', 'memcache-gateway'],
      ['/problems', 'Problems'],
      ['/problems/object-not-found', 'There is no object with this key'],
    ] as const) {
      await page.goto(`${origin}/`);
      await page.click(`text="${path}"`);
      await page.waitForFunction((wanted) => document.title === wanted, title);
    }
    await page.goto(`${origin}/`);
    // A link from another site to a path that does not exist gets the same 404 as any request.
    for (const [path, status] of [
      ['/none', 404],
      ['/v1/objects/there', 403],
    ] as const) {
      await page.goto(`${origin}/`);
      const [response] = await Promise.all([
        page.waitForResponse(gateway.url + path),
        page.click(`text="${path}"`),
      ]);
      assert.equal(response.status(), status, path);
    }
  });

  it('is served when its origin is allowed and its script sends it', async () => {
    const open = await startGateway({ args: ['--access-log', '--allow-origin', origin] });
    try {
      const from = open.logged().length;
      const url = `${open.url}/v1/objects/there`;
      await page.evaluate(async (target) => {
        await fetch(target).catch(() => undefined);
        await fetch(target, { mode: 'no-cors' }).catch(() => undefined);
      }, url);
      await until(() => requestsSince(from, open).length === 2);
      const statuses = requestsSince(from, open).map(({ status }) => status);
      assert.deepEqual(statuses, [404, 403]);
    } finally {
      await open.stop();
    }
  });
});

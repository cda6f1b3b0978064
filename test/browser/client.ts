/** The client as a page uses it: the built modules, imported from the gateway's own origin. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { sharedChromium } from '../helpers/http/chromium.ts';
import { type ReadyGateway, startGateway } from '../helpers/process/gateway.ts';
import { sharedGateway } from '../helpers/process/shared-gateway.ts';
import { gatewayFlags } from './gateway-flags.ts';

const built = fileURLToPath(new URL('../../packages/client/dist/', import.meta.url));
const inPage = fileURLToPath(new URL('../fixtures/client-in-page.mjs', import.meta.url));

describe('the client in Chromium', () => {
  let browser: Browser;
  let gateway: ReadyGateway;

  before(async () => {
    browser = await sharedChromium();
    gateway = await sharedGateway(gatewayFlags);
  });

  /** Plays all methods in a page of `site` on the gateway at `baseUrl`. */
  async function play(site: string, baseUrl: string): Promise<unknown> {
    const page: Page = await browser.newPage();
    try {
      await page.route('**/client/**', (route) => {
        const name = new URL(route.request().url()).pathname.replace('/client/', '');
        const file = name === 'client-in-page.mjs' ? inPage : path.join(built, name);
        return route.fulfill({ contentType: 'text/javascript', body: readFileSync(file) });
      });
      await page.goto(site);
      return await page.evaluate(
        `Promise.all([import('/client/client-in-page.mjs'), import('/client/index.js')]).then(([page, client]) => page.play(client, ${JSON.stringify(baseUrl)}))`,
      );
    } finally {
      await page.close();
    }
  }

  const expected = {
    whole: true,
    streamed: true,
    put: ['created', 'object-exists'],
    each: ['a 3', 'none undefined', 'large 3000000'],
    layers: [[4, 5, 6]],
    refused: 'object-exists',
    deleted: [true, false],
    has: false,
    missing: 'undefined',
  };

  it('puts, gets, streams, checks and deletes one object, many objects, and layers', async () => {
    assert.deepEqual(await play(`${gateway.url}/livez`, ''), expected);
  });

  it('does the same in a page of another origin that is allowed', async () => {
    const other = createServer((_req, res) => res.end('other')).listen(0, 'localhost');
    await once(other, 'listening');
    const origin = `http://localhost:${(other.address() as AddressInfo).port}`;
    const open = await startGateway({ args: [...gatewayFlags, '--allow-origin', origin] });
    try {
      assert.deepEqual(await play(`${origin}/`, open.url), expected);
    } finally {
      await open.stop();
      other.close();
    }
  });
});

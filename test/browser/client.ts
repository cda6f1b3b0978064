/** The client as a page uses it: the built modules, imported from the gateway's own origin. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { sharedChromium } from '../helpers/http/chromium.ts';
import type { ReadyGateway } from '../helpers/process/gateway.ts';
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

  it('puts, gets, streams, checks and deletes one object, many objects, and layers', async () => {
    const page = await browser.newPage();
    await page.route('**/client/**', (route) => {
      const name = new URL(route.request().url()).pathname.replace('/client/', '');
      const file = name === 'client-in-page.mjs' ? inPage : path.join(built, name);
      return route.fulfill({ contentType: 'text/javascript', body: readFileSync(file) });
    });
    await page.goto(`${gateway.url}/livez`);
    const found = await page.evaluate(
      "Promise.all([import('/client/client-in-page.mjs'), import('/client/index.js')]).then(([page, client]) => page.play(client))",
    );
    assert.deepEqual(found, {
      whole: true,
      streamed: true,
      put: ['created', 'object-exists'],
      each: ['a 3', 'none undefined', 'large 3000000'],
      layers: [[4, 5, 6]],
      refused: 'object-exists',
      deleted: [true, false],
      has: false,
      missing: 'undefined',
    });
    await page.close();
  });
});

/** /docs in Chromium, the operations that need no file. Swagger UI takes seconds to show each. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { launchChromium } from '../helpers/chromium.ts';
import { closeSection, openDocs, operations, tryOut } from '../helpers/docs-page.ts';
import { type ReadyGateway, startGateway } from '../helpers/gateway.ts';

/** They need files and an order; docs.test.ts tries them out. */
const objectOperations = [
  ...['putObject', 'getObject', 'headObject', 'getInfo', 'deleteObject'],
  ...['putLayers', 'getLayers', 'headLayers'],
];

describe('/docs in Chromium, operations without files', () => {
  let browser: Browser;
  let gateway: ReadyGateway;

  before(async () => {
    browser = await launchChromium();
    gateway = await startGateway();
  });
  after(async () => {
    await browser.close();
    await gateway.stop();
  });

  it('tries out every other operation, each answered with 200', async () => {
    const { page, complaints } = await openDocs(browser, gateway.url);
    const others = operations.filter(({ operationId }) => !objectOperations.includes(operationId));
    for (const { operationId } of others) {
      const { section, shown, status } = await tryOut(page, operationId);
      assert.equal(status, '200', `${operationId}: ${shown.slice(0, 500)}`);
      assert.doesNotMatch(shown, /Undocumented/, operationId);
      await closeSection(section);
    }
    assert.deepEqual(complaints, []);
    await page.close();
  });
});

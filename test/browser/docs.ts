/** /docs in Chromium. Swagger UI takes a second of processor time to show one operation. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { sharedChromium } from '../helpers/http/chromium.ts';
import {
  closeSection,
  type DocsPage,
  openDocs,
  openSection,
  operations,
  tryOut,
  watchPage,
} from '../helpers/http/docs-page.ts';
import type { ReadyGateway } from '../helpers/process/gateway.ts';
import { sharedGateway } from '../helpers/process/shared-gateway.ts';
import { gatewayFlags } from './gateway-flags.ts';

const screenshots = fileURLToPath(new URL('../../build/screenshots/', import.meta.url));
/** Every byte value, in an order that any change of encoding would break. */
const bytes = Buffer.from(Array.from({ length: 70_001 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));

/** With DOCS_OPERATIONS=all, which `npm run test:long` sets, the tests save pictures of the page. */
const savesPictures = process.env['DOCS_OPERATIONS'] === 'all';

describe('/docs in Chromium', () => {
  let gateway: ReadyGateway;
  let docs: DocsPage;

  before(async () => {
    mkdirSync(screenshots, { recursive: true });
    gateway = await sharedGateway(gatewayFlags);
    docs = await openDocs(await sharedChromium(), gateway.url);
  });
  after(() => docs.page.close());

  /** Saves a screenshot in build/screenshots, for people. */
  const picture = async (page: Page, name: string): Promise<void> => {
    if (savesPictures) await page.screenshot({ path: `${screenshots}${name}.png` });
  };
  const noComplaint = (): void => assert.deepEqual(docs.complaints.splice(0), []);

  it('executes all operations unchanged, in the order of the page, with success', async () => {
    // Those of buffers need memory that a program on the same machine has created.
    for (const { operationId } of operations.filter(({ tags }) => !tags.includes('buffers'))) {
      const { section, shown, status } = await tryOut(docs.page, operationId);
      assert.match(status ?? '', /^20[014]$/, `${operationId}: ${shown.slice(0, 500)}`);
      assert.doesNotMatch(shown, /Undocumented/, operationId);
      if (operationId.startsWith('batch')) assert.match(shown, /"failed": 0/, operationId);
      await closeSection(section);
    }
    noComplaint();
    assert.deepEqual([...docs.origins], [gateway.url]);
    // The page shows an operation that was tried out as it was left.
    await docs.page.close();
    docs = await openDocs(await sharedChromium(), gateway.url);
  });

  it('shows the largest operations with all their responses in at most 3,000 pixels', async () => {
    for (const operationId of ['getObject', 'putLayers', 'putObject', 'getLayers', 'batchGet']) {
      const section = await openSection(docs.page, operationId);
      const { height = Number.POSITIVE_INFINITY } = (await section.boundingBox()) ?? {};
      assert.ok(height <= 3000, `${operationId}: ${height} px`);
      await closeSection(section);
    }
  });

  it('fits the width of a phone', async () => {
    const { page } = docs;
    const wide = page.viewportSize() ?? { width: 1280, height: 900 };
    await page.setViewportSize({ width: 390, height: 844 });
    for (const operationId of ['putObject', 'getLayers', 'batchGet']) {
      const section = await openSection(page, operationId);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 390, `${operationId}: ${width} px`);
      await picture(page, `phone-${operationId}`);
      await closeSection(section);
    }
    await page.setViewportSize(wide);
  });

  it('puts a file and reads it', async () => {
    const { page, origins } = docs;
    await picture(page, 'docs');

    const put = await tryOut(page, 'putObject', async (section) => {
      const file = { name: 'block.bin', mimeType: 'application/octet-stream', buffer: bytes };
      await section.locator('input[type=file]').setInputFiles(file);
    });
    assert.equal(put.status, '201', put.shown);
    assert.match(put.shown, /memcache-outcome: created/);
    assert.match(put.shown, /location: \/v1\/objects\/kv\/block-7/);
    await picture(page, 'put');
    await closeSection(put.section);
    const stored = await fetch(`${gateway.url}/v1/objects/kv/block-7`);
    assert.ok(bytes.equals(Buffer.from(await stored.arrayBuffer())), 'stored as it was uploaded');

    const get = await tryOut(page, 'getObject');
    assert.equal(get.status, '200', get.shown);
    assert.match(get.shown, /content-length: 70001/);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      get.answer.getByText('Download file').click(),
    ]);
    assert.ok(bytes.equals(readFileSync(await download.path())), 'downloaded as it was stored');
    await picture(page, 'get');
    await closeSection(get.section);

    await fetch(stored.url, { method: 'DELETE' });
    noComplaint();
    assert.deepEqual([...origins], [gateway.url]);
  });

  it('puts two files as layers', async () => {
    const { page } = docs;
    const put = await tryOut(page, 'putLayers', async (section) => {
      await section.locator('.body-param-content-type select').selectOption('multipart/form-data');
      for (const [n, name] of ['k.bin', 'v.bin'].entries()) {
        const buffer = bytes.subarray(n * 5, n * 5 + 5);
        const file = { name, mimeType: 'application/octet-stream', buffer };
        await section.locator('input[type=file]').nth(n).setInputFiles(file);
      }
    });
    assert.equal(put.status, '201', put.shown);
    await picture(page, 'layers');
    await closeSection(put.section);
    const stored = await fetch(`${gateway.url}/v1/objects/kv/block-7`);
    assert.ok(bytes.subarray(0, 10).equals(Buffer.from(await stored.arrayBuffer())));

    assert.equal((await fetch(stored.url, { method: 'DELETE' })).status, 204);
    noComplaint();
  });

  it('shows the problem when an operation fails', async () => {
    const { shown, status, section } = await tryOut(docs.page, 'getInfo', async (part) => {
      await part.locator('tr[data-param-name=key] input').fill('no/such/öbject');
    });
    assert.equal(status, '404', shown);
    assert.match(shown, /"type": "\/problems\/object-not-found"/);
    assert.doesNotMatch(shown, /Undocumented/);
    await closeSection(section);
    assert.deepEqual(
      docs.complaints.splice(0).filter((text) => !text.includes('404 (Not Found)')),
      [],
    );
  });

  it('has pages about problems that cause no warning of the browser', async () => {
    const { page, complaints } = await watchPage(await sharedChromium());
    await page.goto(`${gateway.url}/problems`);
    await picture(page, 'problems');
    await page.getByRole('link', { name: 'object-not-found' }).click();
    assert.match((await page.locator('h1').textContent()) ?? '', /no object with this key/);
    const family = await page.evaluate(() => getComputedStyle(document.body).fontFamily);
    assert.match(family, /sans-serif/, 'the style is applied');
    await picture(page, 'problem');
    assert.deepEqual(complaints, []);
    await page.close();
  });
});

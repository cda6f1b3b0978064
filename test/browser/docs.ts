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

/** These operations need files and an order, so they have their own tests. */
const objectOperations = [
  ...['putObject', 'getObject', 'headObject', 'getInfo', 'deleteObject'],
  ...['putLayers', 'getLayers', 'headLayers'],
];
/** With DOCS_OPERATIONS=all, which `npm run test:matrix` sets, the tests try out every operation. */
const tryAll = process.env['DOCS_OPERATIONS'] === 'all';
const others = operations
  .map(({ operationId }) => operationId)
  .filter((id) => !objectOperations.includes(id))
  .filter((id) => tryAll || id === 'batchPut');

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
    if (tryAll) await page.screenshot({ path: `${screenshots}${name}.png` });
  };
  const noComplaint = (): void => assert.deepEqual(docs.complaints.splice(0), []);

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

    if (tryAll) await askAndRemove();
    else await fetch(stored.url, { method: 'DELETE' });
    noComplaint();
    assert.deepEqual([...origins], [gateway.url]);
  });

  async function askAndRemove(): Promise<void> {
    const { page } = docs;
    const info = await tryOut(page, 'getInfo');
    assert.equal(info.status, '200', info.shown);
    assert.match(info.shown, /"key": "kv\/block-7"/);
    assert.match(info.shown, /"size": 70001/);
    await closeSection(info.section);
    const head = await tryOut(page, 'headObject');
    assert.equal(head.status, '200', head.shown);
    assert.match(head.shown, /memcache-replicas: 0;medium=DRAM/);
    await closeSection(head.section);
    const remove = await tryOut(page, 'deleteObject');
    assert.equal(remove.status, '204', remove.shown);
    await closeSection(remove.section);
    assert.equal((await fetch(`${gateway.url}/v1/objects/kv/block-7`)).status, 404);
  }

  it('puts two files as layers', async () => {
    const { page } = docs;
    const put = await tryOut(page, 'putLayers', async (section) => {
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

    if (tryAll) await readLayers();
    assert.equal((await fetch(stored.url, { method: 'DELETE' })).status, 204);
    noComplaint();
  });

  async function readLayers(): Promise<void> {
    const { page } = docs;
    const get = await tryOut(page, 'getLayers', async (section) => {
      await section.locator('tr[data-param-name=select] input').fill('1');
      await section
        .locator('.responses-wrapper select.content-type')
        .first()
        .selectOption('application/json');
    });
    assert.equal(get.status, '200', get.shown);
    assert.match(get.shown, new RegExp(`"value": "${bytes.toString('base64', 5, 10)}"`));
    await closeSection(get.section);
    const head = await tryOut(page, 'headLayers');
    assert.equal(head.status, '200', head.shown);
    await closeSection(head.section);
  }

  it(`tries out operations without a file (${others.join(', ')}), and each gets 200`, async () => {
    for (const operationId of others) {
      const { section, shown, status } = await tryOut(docs.page, operationId);
      assert.equal(status, '200', `${operationId}: ${shown.slice(0, 500)}`);
      assert.doesNotMatch(shown, /Undocumented/, operationId);
      await closeSection(section);
    }
    noComplaint();
  });

  it('shows the problem when an operation fails', async () => {
    if (tryAll) {
      // The page shows an operation that was tried out as it was left.
      await docs.page.close();
      docs = await openDocs(await sharedChromium(), gateway.url);
    }
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

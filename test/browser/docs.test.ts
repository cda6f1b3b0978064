import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { launchChromium } from '../helpers/chromium.ts';
import { closeSection, openDocs, tryOut } from '../helpers/docs-page.ts';
import { type ReadyGateway, startGateway } from '../helpers/gateway.ts';

const screenshots = fileURLToPath(new URL('../../build/screenshots/', import.meta.url));
/** Every byte value, in an order that any change of encoding would break. */
const bytes = Buffer.from(Array.from({ length: 70_001 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));

describe('/docs in Chromium', () => {
  let browser: Browser;
  let gateway: ReadyGateway;

  before(async () => {
    mkdirSync(screenshots, { recursive: true });
    browser = await launchChromium();
    gateway = await startGateway();
  });
  after(async () => {
    await browser.close();
    await gateway.stop();
  });

  it('puts a file, reads it back, asks for it, removes it', async () => {
    const { page, complaints, origins } = await openDocs(browser, gateway.url);
    await page.screenshot({ path: `${screenshots}docs.png` });

    const put = await tryOut(page, 'putObject', async (section) => {
      const file = { name: 'block.bin', mimeType: 'application/octet-stream', buffer: bytes };
      await section.locator('input[type=file]').setInputFiles(file);
    });
    assert.equal(put.status, '201', put.shown);
    assert.match(put.shown, /memcache-outcome: created/);
    assert.match(put.shown, /location: \/v1\/objects\/kv\/block-7/);
    await page.screenshot({ path: `${screenshots}put.png` });
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
    await page.screenshot({ path: `${screenshots}get.png` });
    await closeSection(get.section);

    const head = await tryOut(page, 'headObject');
    assert.equal(head.status, '200', head.shown);
    assert.match(head.shown, /memcache-replicas: 0;medium=DRAM/);
    await closeSection(head.section);

    const info = await tryOut(page, 'getInfo');
    assert.equal(info.status, '200', info.shown);
    assert.match(info.shown, /"key": "kv\/block-7"/);
    assert.match(info.shown, /"size": 70001/);
    await page.screenshot({ path: `${screenshots}info.png` });
    await closeSection(info.section);

    const remove = await tryOut(page, 'deleteObject');
    assert.equal(remove.status, '204', remove.shown);
    assert.equal((await fetch(`${gateway.url}/v1/objects/kv/block-7`)).status, 404);

    assert.deepEqual(complaints, []);
    assert.deepEqual([...origins], [gateway.url]);
    await page.close();
  });

  it('puts two files as layers, and reads one of them back', async () => {
    const { page, complaints } = await openDocs(browser, gateway.url);
    const put = await tryOut(page, 'putLayers', async (section) => {
      for (const [n, name] of ['k.bin', 'v.bin'].entries()) {
        const buffer = bytes.subarray(n * 5, n * 5 + 5);
        const file = { name, mimeType: 'application/octet-stream', buffer };
        await section.locator('input[type=file]').nth(n).setInputFiles(file);
      }
    });
    assert.equal(put.status, '201', put.shown);
    await page.screenshot({ path: `${screenshots}layers.png` });
    await closeSection(put.section);
    const stored = await fetch(`${gateway.url}/v1/objects/kv/block-7`);
    assert.ok(bytes.subarray(0, 10).equals(Buffer.from(await stored.arrayBuffer())));

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
    assert.equal((await fetch(stored.url, { method: 'DELETE' })).status, 204);
    assert.deepEqual(complaints, []);
    await page.close();
  });

  it('shows the problem when an operation fails', async () => {
    const { page, complaints } = await openDocs(browser, gateway.url);
    const { shown, status } = await tryOut(page, 'getInfo', async (section) => {
      await section.locator('tr[data-param-name=key] input').fill('no/such/öbject');
    });
    assert.equal(status, '404', shown);
    assert.match(shown, /"type": "\/problems\/object-not-found"/);
    assert.doesNotMatch(shown, /Undocumented/);
    assert.deepEqual(
      complaints.filter((text) => !text.includes('404 (Not Found)')),
      [],
    );
    await page.close();
  });

  it('has pages about problems without a complaint of the browser', async () => {
    const { page, complaints } = await openDocs(browser, gateway.url);
    await page.goto(`${gateway.url}/problems`);
    await page.screenshot({ path: `${screenshots}problems.png` });
    await page.getByRole('link', { name: 'object-not-found' }).click();
    assert.match((await page.locator('h1').textContent()) ?? '', /no object with this key/);
    const family = await page.evaluate(() => getComputedStyle(document.body).fontFamily);
    assert.match(family, /sans-serif/, 'the style is applied');
    await page.screenshot({ path: `${screenshots}problem.png` });
    assert.deepEqual(complaints, []);
    await page.close();
  });
});

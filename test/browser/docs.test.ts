import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser, Locator, Page } from 'playwright-core';
import { launchChromium } from '../helpers/chromium.ts';
import { type ReadyGateway, startGateway } from '../helpers/gateway.ts';
import { openApiDocument } from '../helpers/openapi-document.ts';

const screenshots = fileURLToPath(new URL('../../build/screenshots/', import.meta.url));
/** Every byte value, in an order that any change of encoding would break. */
const bytes = Buffer.from(Array.from({ length: 70_001 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));

/** Operations that change or read objects come in an order in which each succeeds. */
const objectOperations = [
  ...['putObject', 'getObject', 'headObject', 'getInfo', 'deleteObject'],
  ...['putLayers', 'getLayers', 'headLayers'],
];

const operations = Object.values(openApiDocument.paths).flatMap((item) =>
  Object.entries(item).flatMap(([name, value]) => (name === 'parameters' ? [] : [value])),
);

interface Watched {
  page: Page;
  /** Errors and warnings of the console, violations of the policy, exceptions of scripts. */
  complaints: string[];
  origins: Set<string>;
}

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

  async function openDocs(): Promise<Watched> {
    const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
    const complaints: string[] = [];
    const origins = new Set<string>();
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith('blob:')) origins.add(new URL(request.url()).origin);
    });
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`);
      });
    });
    await page.goto(`${gateway.url}/docs`);
    await page
      .locator('.opblock')
      .nth(operations.length - 1)
      .waitFor();
    return { page, complaints, origins };
  }

  const sectionOf = (page: Page, operationId: string): Locator => {
    const tag = operations.find((operation) => operation.operationId === operationId)?.tags[0];
    return page.locator(`#operations-${tag ?? ''}-${operationId}`);
  };

  /** Opens an operation, tries it, and gives what the page then shows of the answer. */
  async function tryOut(page: Page, operationId: string, prepare = async (_: Locator) => {}) {
    const section = sectionOf(page, operationId);
    await section.locator('.opblock-summary-control').click();
    await section.locator('.try-out__btn').click();
    await prepare(section);
    await section.locator('button.execute').click();
    const answer = section.locator('.live-responses-table').first();
    const status = await answer.locator('tbody .response-col_status').first().textContent();
    const shown = (await answer.textContent()) ?? '';
    return { section, answer, shown, status: status?.trim() };
  }

  const close = (section: Locator) => section.locator('.opblock-summary-control').click();

  it('puts a file, reads it back, asks for it, removes it', async () => {
    const { page, complaints, origins } = await openDocs();
    await page.screenshot({ path: `${screenshots}docs.png` });

    const put = await tryOut(page, 'putObject', async (section) => {
      const file = { name: 'block.bin', mimeType: 'application/octet-stream', buffer: bytes };
      await section.locator('input[type=file]').setInputFiles(file);
    });
    assert.equal(put.status, '201', put.shown);
    assert.match(put.shown, /memcache-outcome: created/);
    assert.match(put.shown, /location: \/v1\/objects\/kv\/block-7/);
    await page.screenshot({ path: `${screenshots}put.png` });
    await close(put.section);
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
    await close(get.section);

    const head = await tryOut(page, 'headObject');
    assert.equal(head.status, '200', head.shown);
    assert.match(head.shown, /memcache-replicas: 0;medium=DRAM/);
    await close(head.section);

    const info = await tryOut(page, 'getInfo');
    assert.equal(info.status, '200', info.shown);
    assert.match(info.shown, /"key": "kv\/block-7"/);
    assert.match(info.shown, /"size": 70001/);
    await page.screenshot({ path: `${screenshots}info.png` });
    await close(info.section);

    const remove = await tryOut(page, 'deleteObject');
    assert.equal(remove.status, '204', remove.shown);
    assert.equal((await fetch(`${gateway.url}/v1/objects/kv/block-7`)).status, 404);

    assert.deepEqual(complaints, []);
    assert.deepEqual([...origins], [gateway.url]);
    await page.close();
  });

  it('puts two files as layers, and reads one of them back', async () => {
    const { page, complaints } = await openDocs();
    const put = await tryOut(page, 'putLayers', async (section) => {
      for (const [n, name] of ['k.bin', 'v.bin'].entries()) {
        const buffer = bytes.subarray(n * 5, n * 5 + 5);
        const file = { name, mimeType: 'application/octet-stream', buffer };
        await section.locator('input[type=file]').nth(n).setInputFiles(file);
      }
    });
    assert.equal(put.status, '201', put.shown);
    await page.screenshot({ path: `${screenshots}layers.png` });
    await close(put.section);
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
    await close(get.section);
    const head = await tryOut(page, 'headLayers');
    assert.equal(head.status, '200', head.shown);
    assert.equal((await fetch(stored.url, { method: 'DELETE' })).status, 204);
    assert.deepEqual(complaints, []);
    await page.close();
  });

  it('tries out every other operation, each answered with 200', async () => {
    const { page, complaints } = await openDocs();
    const others = operations.filter(({ operationId }) => !objectOperations.includes(operationId));
    for (const { operationId } of others) {
      const { section, shown, status } = await tryOut(page, operationId);
      assert.equal(status, '200', `${operationId}: ${shown.slice(0, 500)}`);
      assert.doesNotMatch(shown, /Undocumented/, operationId);
      await close(section);
    }
    assert.deepEqual(complaints, []);
    await page.close();
  });

  it('shows the problem when an operation fails', async () => {
    const { page, complaints } = await openDocs();
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
    const { page, complaints } = await openDocs();
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

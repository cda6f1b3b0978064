/** The status page in Chromium: wide and narrow, light and dark. With DOCS_OPERATIONS=all it saves pictures. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { renderStatusPage } from '../../src/status-page/status-page.ts';
import { sharedChromium } from '../helpers/http/chromium.ts';
import { type DocsPage, watchPage } from '../helpers/http/docs-page.ts';
import { allRights, busyHistory } from '../helpers/http/status-figures.ts';
import type { ReadyGateway } from '../helpers/process/gateway.ts';
import { sharedGateway } from '../helpers/process/shared-gateway.ts';
import { until } from '../helpers/process/until.ts';
import { gatewayFlags } from './gateway-flags.ts';

const screenshots = fileURLToPath(new URL('../../build/screenshots/', import.meta.url));
const savesPictures = process.env['DOCS_OPERATIONS'] === 'all';
const key = 'status/page <b>"key"</b> 1&2';

const busyPage = renderStatusPage({
  rights: allRights,
  refreshes: true,
  ready: true,
  clients: [
    { device: 0, serviceId: 0, state: 'ready', pid: 7, restarts: 0, uptimeMs: 7_500_000 },
    { device: 1, serviceId: null, state: 'starting', pid: 9, restarts: 3, uptimeMs: 2_000 },
  ],
  history: busyHistory(),
  lookup: {
    key: 'x'.repeat(255),
    outcome: { size: 8_994_816, replicas: [{ serviceId: 0, medium: 'DRAM' }] },
  },
});

/** The least contrast of a text with the ground behind it (WCAG 2.2, 1.4.3). */
const leastContrast = (page: Page): Promise<{ ratio: number; text: string }> =>
  page.evaluate(() => {
    const numbers = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (color: string) => {
      const [red = 0, green = 0, blue = 0] = numbers(color).map((value) => {
        const share = value / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const groundOf = (element: Element | null): string => {
      if (element === null) return 'rgb(255, 255, 255)';
      const { backgroundColor } = getComputedStyle(element);
      return numbers(backgroundColor)[3] === 0 ? groundOf(element.parentElement) : backgroundColor;
    };
    const found = [...document.body.querySelectorAll('*')].flatMap((element) => {
      const own = [...element.childNodes].some(
        ({ nodeType, textContent }) => nodeType === 3 && (textContent ?? '').trim() !== '',
      );
      if (!own || ['title', 'desc'].includes(element.tagName)) return [];
      const style = getComputedStyle(element);
      const isSvg = element instanceof SVGElement;
      const [a, b] = [luminance(isSvg ? style.fill : style.color), luminance(groundOf(element))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      return [{ ratio, text: element.textContent ?? '' }];
    });
    return found.reduce((least, each) => (each.ratio < least.ratio ? each : least));
  });

describe('the status page in Chromium', () => {
  let gateway: ReadyGateway;
  let watched: DocsPage;

  before(async () => {
    mkdirSync(screenshots, { recursive: true });
    gateway = await sharedGateway(gatewayFlags);
    watched = await watchPage(await sharedChromium());
  });
  after(() => watched.page.close());

  const picture = async (name: string): Promise<void> => {
    const path = `${screenshots}${name}.png`;
    if (savesPictures) await watched.page.screenshot({ path, fullPage: true });
  };

  for (const width of [390, 1280]) {
    for (const colorScheme of ['light', 'dark'] as const) {
      it(`fits ${width} pixels, readable in ${colorScheme}`, async () => {
        const { page } = watched;
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 844 });
        await page.setContent(busyPage);
        const scroll = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(scroll <= width, `${scroll} px`);
        const { ratio, text } = await leastContrast(page);
        assert.ok(ratio >= 4.5, `${ratio}: ${text}`);
        await picture(`status-${width}-${colorScheme}`);
      });
    }
  }

  it('gives each picture its name, and each part a heading', async () => {
    const { page } = watched;
    await page.setContent(busyPage);
    for (const name of ['Requests', 'Throughput', 'Latency', 'Hit ratio', 'Used part', 'DRAM']) {
      assert.equal(await page.getByRole('img', { name }).count(), 1, name);
    }
    for (const name of ['Look up a key', 'Pool', 'Devices', 'The last 15 minutes']) {
      assert.equal(await page.getByRole('heading', { name, exact: true, level: 2 }).count(), 1);
    }
    assert.equal(await page.getByRole('heading', { level: 1 }).count(), 1);
  });

  it('is served with a policy that it does not violate, and draws what the gateway has served', async () => {
    const { page, complaints, origins } = watched;
    const url = `${gateway.url}/v1/objects/${encodeURIComponent(key)}`;
    assert.equal((await fetch(url, { method: 'PUT', body: 'value' })).status, 201);
    const drawn = async (): Promise<boolean> => {
      await (await fetch(url)).arrayBuffer();
      await page.goto(`${gateway.url}/?refresh=off`);
      return (await page.getByRole('img', { name: 'Hit ratio' }).count()) === 1;
    };
    await until(drawn, { what: 'two samples', deadlineMs: 60_000 });
    await page.getByRole('img', { name: 'DRAM' }).waitFor();
    const family = await page.evaluate(() => getComputedStyle(document.body).fontFamily);
    assert.match(family, /sans-serif/, 'the style is applied');
    await picture('status-live');
    assert.deepEqual(complaints, []);
    assert.deepEqual([...origins], [gateway.url]);
  });

  it('looks up a key without a script, and shows it as text', async () => {
    const { page, complaints } = watched;
    await page.goto(`${gateway.url}/?refresh=off`);
    await page.getByLabel('Key').fill(key);
    await page.getByRole('button', { name: 'Look up' }).click();
    const found = page.getByRole('status');
    assert.match((await found.textContent()) ?? '', /5 bytes.*1: DRAM of service 0/s);
    assert.equal(await found.locator('code').textContent(), key);
    assert.equal(await page.locator('b').count(), 0);
    assert.equal(await page.getByLabel('Key').inputValue(), key);
    await picture('status-key');
    await page.getByLabel('Key').fill('no such key');
    await page.getByRole('button', { name: 'Look up' }).click();
    assert.match((await found.textContent()) ?? '', /object-not-found/);
    assert.deepEqual(complaints, []);
  });
});

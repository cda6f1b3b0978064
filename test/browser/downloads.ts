/** "Download file" of /docs: the bytes that the gateway has sent, under the name that it gives. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { readMixed } from '../helpers/bodies/multipart.ts';
import { readSafetensors } from '../helpers/bodies/safetensors.ts';
import { sharedChromium } from '../helpers/http/chromium.ts';
import { closeSection, type DocsPage, openDocs, tryOut } from '../helpers/http/docs-page.ts';
import type { ReadyGateway } from '../helpers/process/gateway.ts';
import { sharedGateway } from '../helpers/process/shared-gateway.ts';
import { gatewayFlags } from './gateway-flags.ts';

const SAFETENSORS = 'application/vnd.safetensors';
const MIXED = 'multipart/mixed';
const OCTETS = 'application/octet-stream';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Every byte value, in an order that any change of encoding would break; and the digests. */
function storedObject(key: string, layerBytes: number) {
  const bytes = Buffer.alloc(2 * layerBytes);
  for (let at = 0; at < bytes.length; at++) bytes[at] = (at * 7 + (at >> 8)) & 0xff;
  const layers = [bytes.subarray(0, layerBytes), bytes.subarray(layerBytes)].map(sha256);
  return { key, bytes, layerBytes, layers, whole: [sha256(bytes)] };
}

const small = storedObject('downloads/block-ü', 35_001);
const large = storedObject('downloads/large', 32 << 20);

/** Ordered so that a page serves several: it shows an operation that was tried out as it was left. */
const downloads = [
  ['getObject', OCTETS, large, 'large', large.whole],
  ['getLayers', MIXED, small, 'block-ü.multipart', small.layers],
  ['batchGet', SAFETENSORS, large, 'batch.safetensors', large.whole],
  ['getLayers', SAFETENSORS, small, 'block-ü.safetensors', small.layers],
  ['batchGet', MIXED, small, 'batch.multipart', small.whole],
  ['getLayers', OCTETS, small, 'block-ü.layer-1', small.layers.slice(1)],
] as const;
type Download = (typeof downloads)[number];

/** Digests of the values in a file. */
function valuesOf(type: string, file: Buffer): string[] {
  if (type === OCTETS) return [sha256(file)];
  if (type === SAFETENSORS) return [...readSafetensors(file).tensors.values()].map(sha256);
  const boundary = file.toString('latin1', 2, file.indexOf('\r\n'));
  const parts = readMixed(`${MIXED}; boundary=${boundary}`, file);
  return parts.slice(0, -1).map(({ body }) => sha256(body));
}

/** Fills in the parameters of an operation; raw bytes have one layer, so they need `select`. */
async function fill(section: Locator, [operationId, type, object]: Download): Promise<void> {
  if (operationId === 'batchGet') {
    await section.locator('.body-param textarea').fill(JSON.stringify({ keys: [object.key] }));
  } else {
    await section.locator('tr[data-param-name=key] input').fill(object.key);
  }
  if (operationId === 'getLayers') {
    await section.locator('tr[data-param-name=sizes] input').last().fill(`${object.layerBytes}x2`);
    if (type === OCTETS) await section.locator('tr[data-param-name=select] input').fill('1');
  }
  if (operationId === 'getObject') return;
  await section.locator('.responses-wrapper select.content-type').first().selectOption(type);
}

describe('"Download file" of /docs in Chromium', () => {
  let gateway: ReadyGateway;
  let docs: DocsPage | undefined;
  const opened = new Set<string>();

  const urlOf = ({ key }: typeof small) => `${gateway.url}/v1/objects/${encodeURIComponent(key)}`;

  before(async () => {
    gateway = await sharedGateway(gatewayFlags);
    for (const object of [small, large]) {
      const put = await fetch(urlOf(object), { method: 'PUT', body: object.bytes });
      assert.equal(put.status, 201);
    }
  });
  after(async () => {
    await docs?.page.close();
    for (const object of [small, large]) await fetch(urlOf(object), { method: 'DELETE' });
  });

  /** Returns a page on which the operation was not tried out yet. */
  async function pageFor(operationId: string): Promise<Page> {
    if (docs === undefined || opened.has(operationId)) {
      await docs?.page.close();
      docs = await openDocs(await sharedChromium(), gateway.url);
      opened.clear();
    }
    opened.add(operationId);
    return docs.page;
  }

  for (const download of downloads) {
    const [operationId, type, object, name, digests] = download;
    it(`saves the ${object.bytes.length} bytes of ${operationId} as ${type} unchanged`, async () => {
      const page = await pageFor(operationId);
      const tried = await tryOut(page, operationId, (section) => fill(section, download));
      assert.equal(tried.status, '200', tried.shown.slice(0, 500));
      const [file] = await Promise.all([
        page.waitForEvent('download'),
        tried.answer.getByText('Download file').click(),
      ]);
      assert.equal(file.suggestedFilename(), name);
      assert.deepEqual(valuesOf(type, readFileSync(await file.path())), digests);
      await closeSection(tried.section);
    });
  }
});

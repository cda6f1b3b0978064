/** The engine stores layers as their bytes, one after another, and so do the gateway and the client. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { DistributedObjectStore } from '../../../src/node-store/python-api.ts';
import {
  block,
  blockSizes,
  fileOf,
  layersTo,
  randomLayers,
  tensors,
} from '../../helpers/bodies/layers.ts';
import { readSafetensors } from '../../helpers/bodies/safetensors.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';

describe('layers, between the gateway and a client of the engine in another process', () => {
  let gateway: ReadyGateway;
  let store: DistributedObjectStore;
  const { put, get } = layersTo(() => gateway);
  const { newKey } = requestTo(() => gateway);

  before(async () => {
    gateway = await startGateway();
    // The store joins the gateway's pool with the settings of its worker.
    const environment = readFileSync(`/proc/${gateway.workerPid()}/environ`, 'utf8').split('\0');
    for (const entry of environment.filter((each) => each.startsWith('MMC_EMBEDDED_'))) {
      const [name = '', value] = entry.split('=');
      process.env[name] = value;
    }
    store = new DistributedObjectStore();
    await store.init(1);
  });
  after(async () => {
    await store.close();
    await gateway.kill();
  });

  it('are the same over HTTP as putFromLayers stored them', async () => {
    const layers = randomLayers(blockSizes);
    const key = newKey('engine');
    await store.putFromLayers(key, layers);
    const { body } = await get(`${key}?sizes=${block}`);
    const file = readSafetensors(body);
    for (const [n, bytes] of layers.entries())
      assert.ok(file.tensors.get(String(n))?.equals(bytes));
  });

  it('are the same for getIntoLayers as they were put over HTTP', async () => {
    const layers = randomLayers(blockSizes);
    const key = newKey('http');
    assert.equal((await put(key, fileOf(layers), tensors)).status, 201);
    const targets = layers.map(({ length }) => Buffer.alloc(length));
    await store.getIntoLayers(key, targets);
    for (const [n, bytes] of layers.entries()) assert.ok(targets[n]?.equals(bytes));
    assert.ok(
      (await store.get(key)).equals(Buffer.concat(layers)),
      'nothing of ours is in between',
    );
  });
});

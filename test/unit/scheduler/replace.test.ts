/** Removes and puts as one call, on an engine that is slow or refuses. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { EngineDeadlineError } from '../../../src/native/abi/errors.ts';
import type { Block } from '../../../src/native/abi/types.ts';
import { createInjection, injectingLibrary } from '../../helpers/engine/injecting.ts';
import {
  blockOf,
  emptyBlock,
  once,
  openTestEngine,
  type TestClient,
} from '../../helpers/engine/native.ts';
import { until } from '../../helpers/process/until.ts';

const injection = createInjection();
let client: TestClient;

before(async () => {
  Object.assign(process.env, injection.env);
  client = await openTestEngine({
    engine: await injectingLibrary(),
    callSlots: 1,
    deadlineMs: 1000,
  });
});

after(async () => {
  assert.equal(await client.close(20_000), true);
  injection.dispose();
});

afterEach(async () => {
  await injection.clear();
  await until(() => client.calls().inFlight === 0);
  client.engine.onCall = undefined;
  assert.equal(client.arena.stats().blocks, 0, 'every block was freed');
});

async function withBlocks<T>(
  values: readonly string[],
  work: (blocks: Block[]) => Promise<T>,
): Promise<T> {
  const blocks = values.map((value) => blockOf(client, Buffer.from(value)));
  try {
    return await work(blocks);
  } finally {
    for (const block of blocks) block.release();
  }
}

const stored = (values: Readonly<Record<string, string>>) =>
  withBlocks(Object.values(values), (blocks) => client.batchPut(Object.keys(values), blocks, once));
const replaced = (values: Readonly<Record<string, string>>) =>
  withBlocks(Object.values(values), (blocks) =>
    client.batchReplace(Object.keys(values), blocks, once),
  );

async function bytesAt(key: string): Promise<string> {
  const { info } = await client.query(key);
  const block = emptyBlock(client, info.size);
  assert.equal(await client.get(key, block, info.size), 0);
  const value = block.view.toString();
  block.release();
  return value;
}

describe('a replacement', () => {
  it('stores existing and missing objects, and keeps those that cannot be removed', async () => {
    await stored({ 'mixed/a': 'old', 'mixed/b': 'old' });
    await injection.set([{ on: 'batch_remove', itemCode: -3104, prefix: 'mixed/a' }]);
    const answer = await replaced({ 'mixed/a': 'new a', 'mixed/b': 'new b', 'mixed/c': 'new c' });
    assert.deepEqual([...answer.removed], [-3104, 0, -3102]);
    assert.deepEqual([...answer.stored], [0, 0]);
    const values = await Promise.all(['mixed/a', 'mixed/b', 'mixed/c'].map(bytesAt));
    assert.deepEqual(values, ['old', 'new b', 'new c']);
  });

  it('makes no put if nothing was removed', async () => {
    await stored({ kept: 'old' });
    await injection.set([{ on: 'batch_remove', code: -3014 }]);
    const puts = injection.counters('batch_put').started;
    const answer = await replaced({ kept: 'new' });
    assert.deepEqual([...answer.removed, ...answer.stored], [-3014]);
    assert.equal(injection.counters('batch_put').started, puts);
    assert.equal(await bytesAt('kept'), 'old');
  });

  it('is made without other calls between its remove and its put', async () => {
    await stored({ next: 'old' });
    const made: string[] = [];
    await injection.set([{ on: 'batch_remove', hang: true }]);
    client.engine.onCall = (operation) => void made.push(operation);
    const replacing = replaced({ next: 'new' });
    const asked = client.exist('next');
    assert.equal(client.calls().queued, 1);
    await injection.clear();
    assert.deepEqual([...(await replacing).stored], [0]);
    assert.equal(await asked, 0);
    assert.deepEqual(made, ['batch_remove', 'batch_put', 'exist']);
  });

  it('also stores after its deadline what it has removed', async () => {
    await stored({ late: 'old' });
    await injection.set([{ on: 'batch_remove', hang: true }]);
    await assert.rejects(replaced({ late: 'new' }), EngineDeadlineError);
    assert.equal(client.arena.stats().blocks, 1, 'the call keeps its block');
    await injection.clear();
    await until(() => client.calls().inFlight === 0);
    assert.equal(await bytesAt('late'), 'new');
  });
});

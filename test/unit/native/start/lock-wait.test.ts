/** The wait of the JavaScript thread for a lock that a stopped process holds. */
import assert from 'node:assert/strict';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import { type EngineProcess, startEngine } from '../../../helpers/engine/engine-process.ts';
import { blockOf, once, openTestEngine, type TestClient } from '../../../helpers/engine/native.ts';
import { createStops, stoppingLibrary } from '../../../helpers/process/stopped-worker.ts';

/** Half the wait of an asynchronous call, and far more than a busy machine adds to 50 µs. */
const promptMs = 5000;

const stops = createStops();
const pool = {
  MMC_EMBEDDED_POOL: `mcg-${process.geteuid?.() ?? 0}-lock-wait-${process.pid}`,
  MMC_EMBEDDED_BYTES: String(16 * 2 ** 20),
};
let client: TestClient;
let other: EngineProcess;

before(async () => {
  Object.assign(process.env, pool);
  client = await openTestEngine();
  other = await startEngine(await stoppingLibrary(), { ...pool, ...stops.env });
  assert.equal(await other.engine.init(1), 0);
});

after(async () => {
  await other.kill();
  await client.close(5000);
  stops.dispose();
});

describe('a call on the JavaScript thread', () => {
  it('gives up at once on the lock of a stopped process, and works when the process continues', async () => {
    const sync = client.engine.sync ?? assert.fail('the embedded engine is called on this thread');
    const block = blockOf(client, Buffer.from('value'));
    assert.equal(sync.put('hot', block, block.length, once), 0);
    let pending: Promise<number> | undefined;
    await stops.stop(other.pid, () => {
      pending = other.engine.remove('hot');
      // The process is killed if the test fails before.
      pending.catch(() => undefined);
    });
    const start = performance.now();
    assert.equal(sync.get('hot', block, block.length), undefined);
    const elapsedMs = performance.now() - start;
    assert.ok(elapsedMs < promptMs, `${elapsedMs} ms`);
    other.signal('SIGCONT');
    assert.equal(await pending, 0);
    assert.equal(sync.get('hot', block, block.length), -1);
    block.release();
  });
});

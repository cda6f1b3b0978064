/**
 * A key while another client writes its object (docs/engine-facts.md §4). The writer is stopped in the
 * middle of a large put, which works with every library.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import {
  newPool,
  openClient,
  startClient,
  uniqueKey,
  withOwnPool,
} from '../helpers/engine/conformance.ts';
import type { EngineCalls } from '../helpers/engine/engine-calls.ts';
import type { EngineProcess } from '../helpers/engine/engine-process.ts';
import { untouched } from '../helpers/engine/engine-structs.ts';
import { until } from '../helpers/process/until.ts';

const mebibyte = 2 ** 20;
const large = { length: 32 * mebibyte, fill: 0x77 };
const notReadable = -3007;

/** SIGSTOP stops each thread on its own, and only then is it certain that a put does not go on. */
const isStopped = (pid: number): boolean =>
  readdirSync(`/proc/${pid}/task`).every((thread) =>
    /^State:\s+T/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')),
  );

const skip =
  withOwnPool && 'needs 50 MiB in each service, which this engine may be configured without';

describe('a key that another client is still writing', { skip }, () => {
  const pool = newPool(50 * mebibyte);
  let engine: EngineCalls;
  let serviceId: number;
  before(async () => {
    engine = openClient(pool);
    assert.equal(await engine.init(0), 0);
    serviceId = (await engine.localServiceId()).id;
  });
  after(() => engine.uninit());

  /** A writer that is stopped during its put; a put that was too fast is repeated. */
  async function stopInPut(prefer: readonly number[] = []) {
    const writer = await startClient(pool);
    assert.equal(await writer.engine.init(1), 0);
    for (let attempt = 0; attempt < 20; attempt++) {
      const key = uniqueKey(`half-${attempt}`);
      const put = writer.engine.put(key, large, { prefer }).catch(() => Number.NaN);
      let seen = 0;
      const begun = async () => {
        seen = await engine.exist(key);
        return seen !== -3102;
      };
      await until(begun, { deadlineMs: 30_000 });
      writer.signal('SIGSTOP');
      await until(() => isStopped(writer.pid));
      if (seen === notReadable && (await engine.exist(key)) === notReadable) {
        return { writer, key, put };
      }
      writer.signal('SIGCONT');
      assert.equal(await put, 0);
      assert.equal(await engine.remove(key), 0);
    }
    await writer.kill();
    throw new Error('every put was over before its writer could be stopped');
  }

  const end = async (writer: EngineProcess) => {
    writer.signal('SIGCONT');
    await writer.kill();
  };

  it('exists but is not readable, and is complete when its writer has finished', async () => {
    const { writer, key, put } = await stopInPut();
    try {
      assert.equal(await engine.exist(key), notReadable);
      assert.deepEqual((await engine.batchExist([key])).results, [notReadable]);
      const { code, info } = await engine.query(key);
      assert.deepEqual([code, info.valid], [0, true]);
      assert.equal((await engine.batchQuery([key])).infos[0]?.valid, true);
      const { bytes, ...answer } = await engine.get(key, large.length);
      assert.deepEqual(answer, { code: -1 });
      assert.ok(bytes.equals(untouched(large.length)));
      assert.deepEqual((await engine.batchGet([key], [8])).results, [-1]);
      assert.equal(await engine.put(key, Buffer.from('mine')), -3006);
      assert.deepEqual((await engine.batchPut([key], [Buffer.from('mine')])).results, [-3006]);
      writer.signal('SIGCONT');
      assert.equal(await put, 0);
      assert.equal(await engine.exist(key), 0);
      assert.deepEqual(await engine.check(key, large.length, large.fill), { code: 0, same: true });
      assert.equal(await engine.remove(key), 0);
    } finally {
      await end(writer);
    }
  });

  it("vanishes with a writer that dies, if it was in the writer's own memory", async () => {
    const { writer, key } = await stopInPut();
    await end(writer);
    await until(async () => (await engine.exist(key)) === -3102);
    assert.equal(await engine.put(key, Buffer.from('mine')), 0);
    assert.deepEqual(await engine.get(key, 4), { code: 0, bytes: Buffer.from('mine') });
    assert.equal(await engine.remove(key), 0);
  });

  it('never becomes readable if its writer dies, and is free again after a remove', async () => {
    const { writer, key } = await stopInPut([serviceId]);
    await end(writer);
    assert.equal((await engine.get(key, large.length)).code, -1);
    await until(async () => [notReadable, -3102].includes(await engine.exist(key)));
    await engine.remove(key);
    assert.equal(await engine.exist(key), -3102);
    await until(async () => (await engine.put(key, large, { prefer: [serviceId] })) === 0);
    assert.deepEqual(await engine.check(key, large.length, large.fill), { code: 0, same: true });
    assert.equal(await engine.remove(key), 0);
  });
});

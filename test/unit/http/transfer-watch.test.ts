import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { createTransferWatch, type TransferWatch } from '../../../src/http/transfer-watch.ts';
import { until } from '../../helpers/until.ts';

let watch: TransferWatch | undefined;
let atMs = 0;
afterEach(() => watch?.close());

/** The watch looks every 10 ms at least; time itself only goes on when the test says so. */
function begin(idleTimeoutMs: number, minRateBytes: number) {
  atMs = 1000;
  const made = createTransferWatch(
    { idleTimeoutMs, minRateBytes },
    { now: () => atMs, lookMs: 10 },
  );
  watch = made;
  const cuts: string[] = [];
  const transfer = made.begin((reason) => cuts.push(reason));
  /** A witness that would be cut at any age shows that the watch has looked at this time. */
  const look = async (at: number) => {
    atMs = at;
    const seen: string[] = [];
    const witness = made.begin((reason) => seen.push(reason));
    witness.lastMovedMs = Number.NEGATIVE_INFINITY;
    await until(() => seen.length > 0);
  };
  return { watch: made, transfer, cuts, look };
}

describe('createTransferWatch', () => {
  it('cuts off a transfer one millisecond past its idle timeout, not at it', async () => {
    const { cuts, look, watch } = begin(40, 0);
    await look(1040);
    assert.deepEqual(cuts, []);
    assert.equal(watch.active, 1);
    await look(1041);
    assert.deepEqual(cuts, ['no byte moved for 41 ms']);
    assert.equal(watch.active, 0);
  });

  it('cuts a transfer off once', async () => {
    const { cuts, look } = begin(40, 0);
    await look(2000);
    await look(3000);
    assert.equal(cuts.length, 1);
  });

  it('counts idleness from the last byte that was seen to move', async () => {
    const { transfer, cuts, look } = begin(40, 0);
    for (const at of [1030, 1060, 1090]) {
      transfer.bytes += 1;
      await look(at);
    }
    await look(1130);
    assert.deepEqual(cuts, []);
    await look(1131);
    assert.deepEqual(cuts, ['no byte moved for 41 ms']);
  });

  it('cuts off a transfer below the minimum rate after its grace of ten seconds', async () => {
    const { transfer, cuts, look } = begin(1_000_000, 100);
    transfer.bytes = 1;
    await look(10_999);
    assert.deepEqual(cuts, []);
    await look(11_000);
    assert.deepEqual(cuts, ['0 bytes a second are below the minimum of 100']);
  });

  it('leaves a transfer alone that keeps exactly the minimum rate, on average', async () => {
    const { transfer, cuts, look } = begin(1_000_000, 100);
    transfer.bytes = 1000;
    await look(11_000);
    transfer.bytes = 2000;
    await look(21_000);
    assert.deepEqual(cuts, []);
    await look(21_011);
    assert.deepEqual(cuts, ['100 bytes a second are below the minimum of 100']);
  });

  it('asks for no rate when the minimum is 0', async () => {
    const { transfer, cuts, look } = begin(1_000_000, 0);
    transfer.bytes = 1;
    await look(900_000);
    assert.deepEqual(cuts, []);
  });

  it('asks a transfer that measures itself, and takes a step back for no movement', async () => {
    const { watch, look } = begin(40, 0);
    const cuts: string[] = [];
    let reached = 5;
    watch.begin(
      (reason) => cuts.push(reason),
      () => reached,
    );
    await look(1030);
    reached = 6;
    await look(1060);
    reached = 5;
    await look(1090);
    await look(1100);
    assert.deepEqual(cuts, []);
    await look(1101);
    assert.deepEqual(cuts, ['no byte moved for 41 ms']);
  });

  it('does not count the time in which the client had to wait, and goes on where it was', async () => {
    const { watch, transfer, cuts, look } = begin(40, 0);
    await look(1030);
    watch.pause(transfer);
    assert.equal(watch.active, 0);
    await look(9000);
    watch.resume(transfer);
    await look(9010);
    assert.deepEqual(cuts, []);
    await look(9011);
    assert.deepEqual(cuts, ['no byte moved for 41 ms']);
  });

  it('cuts off a client below the minimum rate however often it had to wait', async () => {
    const { watch, transfer, cuts, look } = begin(1_000_000, 100);
    for (let at = 1000; at < 11_000; at += 1000) {
      transfer.bytes += 99;
      atMs = at + 500;
      watch.pause(transfer);
      watch.resume(transfer);
    }
    await look(11_000);
    assert.deepEqual(cuts, ['99 bytes a second are below the minimum of 100']);
  });

  it('does not take up again what has ended while it was paused', async () => {
    const { watch, transfer, cuts, look } = begin(40, 0);
    watch.pause(transfer);
    watch.end(transfer);
    watch.resume(transfer);
    assert.equal(watch.active, 0);
    await look(9000);
    assert.deepEqual(cuts, []);
  });

  it('forgets a transfer that has ended', async () => {
    const { watch, transfer, cuts, look } = begin(40, 0);
    watch.end(transfer);
    watch.end(transfer);
    assert.equal(watch.active, 0);
    await look(2000);
    assert.deepEqual(cuts, []);
  });

  it('looks at every transfer though a cut ends others', async () => {
    const { watch, cuts, look } = begin(40, 0);
    const ended = watch.begin(() => assert.fail('it had ended'));
    // Sets are walked in the order of insertion: the first cut ends a later transfer.
    const first = watch.begin(() => watch.end(ended));
    first.lastMovedMs = 0;
    watch.end(ended);
    await look(1041);
    assert.equal(cuts.length, 1);
    assert.equal(watch.active, 0);
  });
});

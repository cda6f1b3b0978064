import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { TransferWatch } from '../../../../src/http/connection/transfer-watch.ts';
import { until } from '../../../helpers/process/until.ts';

let watch: TransferWatch | undefined;
let atMs = 0;
afterEach(() => watch?.close());

/** The watch polls at least every 10 ms; the test controls the clock. */
function begin(idleTimeoutMs: number, minRateBytes: number) {
  atMs = 1000;
  const made = new TransferWatch({ idleTimeoutMs, minRateBytes }, { now: () => atMs, pollMs: 10 });
  watch = made;
  const cuts: string[] = [];
  const transfer = made.begin((reason) => cuts.push(reason));
  /** A transfer that any check cuts off; it shows that the watch has polled at this time. */
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
  it('cuts off a transfer one millisecond after its idle timeout, not at it', async () => {
    const { cuts, look, watch } = begin(40, 0);
    await look(1040);
    assert.deepEqual(cuts, []);
    assert.equal(watch.active, 1);
    await look(1041);
    assert.deepEqual(cuts, ['no byte moved for 41 ms']);
    assert.equal(watch.active, 0);
  });

  it('cuts off a transfer once', async () => {
    const { cuts, look } = begin(40, 0);
    await look(2000);
    await look(3000);
    assert.equal(cuts.length, 1);
  });

  it('measures the idle time from the last byte that moved', async () => {
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

  it('cuts off a transfer below the minimum rate after the first ten seconds', async () => {
    const { transfer, cuts, look } = begin(1_000_000, 100);
    transfer.bytes = 1;
    await look(10_999);
    assert.deepEqual(cuts, []);
    await look(11_000);
    assert.deepEqual(cuts, ['0 bytes a second are below the minimum of 100']);
  });

  it('keeps a transfer that has exactly the minimum rate, on average', async () => {
    const { transfer, cuts, look } = begin(1_000_000, 100);
    transfer.bytes = 1000;
    await look(11_000);
    transfer.bytes = 2000;
    await look(21_000);
    assert.deepEqual(cuts, []);
    await look(21_011);
    assert.deepEqual(cuts, ['100 bytes a second are below the minimum of 100']);
  });

  it('measures the rate over the last ten seconds, so that a burst allows no silence after them', async () => {
    const { transfer, cuts, look } = begin(1_000_000, 100);
    transfer.bytes = 1_000_000;
    for (let at = 2000; at <= 11_000; at += 1000) await look(at);
    assert.deepEqual(cuts, []);
    transfer.bytes += 500;
    await look(12_000);
    assert.deepEqual(cuts, ['50 bytes a second are below the minimum of 100']);
  });

  it('keeps a transfer that is slow for less than ten seconds', async () => {
    const { transfer, cuts, look } = begin(1_000_000, 100);
    for (let at = 2000; at <= 31_000; at += 1000) {
      // Nine seconds without a byte, then as many bytes as were missing.
      if (at % 10_000 === 1000) transfer.bytes += 1000;
      await look(at);
    }
    assert.deepEqual(cuts, []);
  });

  it('does not count time in which the client had to wait, anywhere in the window', async () => {
    const { watch, transfer, cuts, look } = begin(1_000_000, 100);
    for (let at = 2000; at <= 11_000; at += 1000) {
      transfer.bytes += 100;
      await look(at);
    }
    watch.pause(transfer);
    await look(60_000);
    watch.resume(transfer);
    await look(60_000);
    assert.deepEqual(cuts, []);
    await look(61_000);
    assert.deepEqual(cuts, ['90 bytes a second are below the minimum of 100']);
  });

  it('applies no rate if the minimum is 0', async () => {
    const { transfer, cuts, look } = begin(1_000_000, 0);
    transfer.bytes = 1;
    await look(900_000);
    assert.deepEqual(cuts, []);
  });

  it('reads the bytes of a transfer that measures itself, and ignores a step back', async () => {
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

  it('does not count time in which the client had to wait, and continues afterwards', async () => {
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

  it('does not resume a transfer that ended while it was paused', async () => {
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

  it('checks every transfer although cutting one off ends others', async () => {
    const { watch, cuts, look } = begin(40, 0);
    const ended = watch.begin(() => assert.fail('it had ended'));
    // A Set is iterated in order of insertion: the first cut ends a later transfer.
    const first = watch.begin(() => watch.end(ended));
    first.lastMovedMs = 0;
    watch.end(ended);
    await look(1041);
    assert.equal(cuts.length, 1);
    assert.equal(watch.active, 0);
  });
});

describe('a transfer watch while requests wait for memory', () => {
  /** Transfers with these rates, ten seconds old. */
  function crowded(rates: readonly number[], minRateBytes = 100, holdsRoom = true) {
    atMs = 1000;
    let waits = false;
    const made = new TransferWatch(
      { idleTimeoutMs: 1_000_000, minRateBytes },
      { contended: () => waits, now: () => atMs, pollMs: 10 },
    );
    watch = made;
    const cuts: (number | undefined)[] = [];
    const reasons: string[] = [];
    const transfers = rates.map((rate) => {
      const transfer = made.begin(
        (reason) => {
          cuts.push(rate);
          reasons.push(reason);
        },
        undefined,
        holdsRoom,
      );
      transfer.bytes = rate * 10;
      return transfer;
    });
    const look = async (at: number) => {
      atMs = at;
      let seen = false;
      const witness = made.begin(
        () => {
          seen = true;
        },
        undefined,
        false,
      );
      witness.lastMovedMs = Number.NEGATIVE_INFINITY;
      await until(() => seen);
      for (const [index, transfer] of transfers.entries()) {
        transfer.bytes += rates[index] ?? 0;
      }
    };
    return {
      cuts,
      reasons,
      look,
      wait: (yes: boolean) => {
        waits = yes;
      },
    };
  }

  it('cuts off the slowest transfer, one per second, as long as requests wait', async () => {
    const { cuts, reasons, look, wait } = crowded([900, 300, 500]);
    await look(11_000);
    wait(true);
    await look(11_000);
    await look(11_999);
    assert.deepEqual(cuts, []);
    await look(12_000);
    assert.deepEqual(cuts, [300]);
    assert.match(String(reasons[0]), /below the 1600 that are needed while other requests wait/);
    await look(12_999);
    assert.deepEqual(cuts, [300]);
    await look(13_000);
    assert.deepEqual(cuts, [300, 500]);
    wait(false);
    await look(14_000);
    await look(15_000);
    assert.deepEqual(cuts, [300, 500]);
  });

  it('keeps transfers that reach 16 times the minimum', async () => {
    const { cuts, look, wait } = crowded([1600, 1599]);
    wait(true);
    await look(11_000);
    await look(12_000);
    await look(13_000);
    assert.deepEqual(cuts, [1599]);
  });

  it('keeps transfers that hold no memory, and all transfers if there is no minimum rate', async () => {
    for (const [minRateBytes, holdsRoom] of [
      [100, false],
      [0, true],
    ] as const) {
      const { cuts, look, wait } = crowded([200], minRateBytes, holdsRoom);
      wait(true);
      await look(11_000);
      await look(12_000);
      assert.deepEqual(cuts, []);
      watch?.close();
    }
  });

  it('allows a transfer its first ten seconds', async () => {
    const { cuts, look, wait } = crowded([200]);
    wait(true);
    await look(9000);
    await look(10_999);
    assert.deepEqual(cuts, []);
    await look(12_100);
    assert.deepEqual(cuts, [200]);
  });
});

describe('a transfer of a client that holds more than its share', () => {
  it('is cut off after two slow seconds, while those of others keep their ten', async () => {
    atMs = 1000;
    const crowding = {};
    const made = new TransferWatch(
      { idleTimeoutMs: 1_000_000, minRateBytes: 100 },
      {
        contended: () => true,
        isCrowding: (peer) => peer === crowding,
        now: () => atMs,
        pollMs: 10,
      },
    );
    watch = made;
    const cuts: string[] = [];
    const begin = (name: string, peer: object) =>
      made.begin(() => cuts.push(name), undefined, true, peer);
    const [slow, fast] = [begin('slow', crowding), begin('fast', crowding)];
    begin('other', {});
    for (const at of [1000, 2000, 2999, 3000, 4000, 5000]) {
      fast.bytes = (at - 1000) * 2;
      slow.bytes = (at - 1000) * 1.5;
      await polled(made, at);
      assert.deepEqual(cuts, at < 3000 ? [] : ['slow'], `at ${at}`);
    }
  });
});

/** Waits until the watch has looked at this time. */
async function polled(made: TransferWatch, at: number): Promise<void> {
  atMs = at;
  const seen: string[] = [];
  const witness = made.begin((reason) => seen.push(reason), undefined, false);
  witness.lastMovedMs = Number.NEGATIVE_INFINITY;
  await until(() => seen.length > 0);
}

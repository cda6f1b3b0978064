import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Block } from '../../../src/native/types.ts';
import type { Caller } from '../../../src/store/arena-room.ts';
import { createSingleFlight } from '../../../src/store/single-flight.ts';
import { countingArena } from '../../helpers/scripted-engine.ts';

const large = 64 * 1024;

class Client extends EventEmitter {
  destroyed = false;
  readableEnded = false;
  leave(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

/** Reads that are under way until the test ends them. */
function scene(now?: () => number, size = 8) {
  const arena = countingArena();
  const flights = createSingleFlight(now);
  const reads: { finish(): void; fail(): void; caller: Caller }[] = [];
  const read = (caller: Caller): Promise<Block> =>
    new Promise((resolve, reject) => {
      reads.push({
        caller,
        finish: () => resolve(arena.tryAllocate(size) as Block),
        fail: () => reject(new Error('no')),
      });
    });
  return { arena, flights, reads, read };
}

describe('single flight', () => {
  it('reads once for all who ask meanwhile, and frees the block after the last', async () => {
    const { arena, flights, reads, read } = scene();
    const asked = [1, 2, 3].map(() => flights.join('a', new Client(), read));
    await nextTurn();
    assert.equal(reads.length, 1);
    reads[0]?.finish();
    const blocks = await Promise.all(asked);
    assert.equal(flights.joined, 2);
    for (const block of blocks) {
      assert.equal(arena.used, 1);
      assert.equal(block.view.length, 8);
      block.release();
    }
    assert.equal(arena.used, 0);
    assert.throws(() => blocks[0]?.retain());
    assert.throws(() => blocks[0]?.release());
  });

  it('keeps reads of other objects, and later ones, apart', async () => {
    const { flights, reads, read, arena } = scene();
    const asked = [flights.join('a', undefined, read), flights.join('b', undefined, read)];
    await nextTurn();
    assert.equal(reads.length, 2);
    for (const each of reads) each.finish();
    for (const block of await Promise.all(asked)) block.release();
    const again = flights.join('a', undefined, read);
    await nextTurn();
    assert.equal(reads.length, 3);
    reads[2]?.finish();
    (await again).release();
    assert.equal(arena.used, 0);
  });

  it('fails for all of them, and for none after', async () => {
    const { flights, reads, read } = scene();
    const asked = [1, 2].map(() => flights.join('a', undefined, read));
    await nextTurn();
    reads[0]?.fail();
    for (const each of asked) await assert.rejects(each, /no/);
    const again = flights.join('a', undefined, read);
    await nextTurn();
    reads[1]?.finish();
    (await again).release();
  });

  it('is one caller, who leaves when all of them have left', async () => {
    const { flights, reads, read } = scene();
    const clients = [new Client(), new Client(), new Client()];
    for (const client of clients.slice(0, 2)) {
      flights.join('a', client, read).catch(() => undefined);
    }
    await nextTurn();
    const caller = reads[0]?.caller as Caller;
    let left = 0;
    const leave = (): void => {
      left += 1;
    };
    caller.once('close', leave);
    flights.join('a', clients[2], read).catch(() => undefined);
    clients[0]?.leave();
    clients[1]?.leave();
    assert.equal(left, 0);
    assert.equal(caller.destroyed, false);
    clients[2]?.leave();
    assert.equal(left, 1);
    assert.equal(caller.destroyed, true);
    caller.off('close', leave);
    for (const client of clients) {
      assert.equal(client.listenerCount('close') + client.listenerCount('end'), 0);
    }
  });

  it('stays for somebody who has no connection', async () => {
    const { flights, reads, read } = scene();
    const client = new Client();
    flights.join('a', client, read).catch(() => undefined);
    flights.join('a', undefined, read).catch(() => undefined);
    await nextTurn();
    client.leave();
    assert.equal(reads[0]?.caller.destroyed, false);
  });

  it('shares no small block that only one has asked for', async () => {
    const { arena, flights, reads, read } = scene();
    const asked = flights.join('a', undefined, read);
    await nextTurn();
    reads[0]?.finish();
    const block = await asked;
    assert.equal(flights.mayShare('a'), false);
    assert.equal(flights.shared('a', 8), undefined);
    block.release();
    assert.equal(arena.used, 0);
  });

  it('shares a block that is still in use, for a moment and if its size is right', async () => {
    let nowMs = 0;
    const { arena, flights, reads, read } = scene(() => nowMs, large);
    const first = flights.join('a', undefined, read);
    await nextTurn();
    assert.equal(flights.mayShare('a'), false);
    reads[0]?.finish();
    const block = await first;
    nowMs = 99;
    assert.equal(flights.mayShare('a'), true);
    assert.equal(flights.shared('a', large + 1), undefined);
    const second = flights.shared('a', large);
    assert.ok(second);
    block.release();
    assert.equal(arena.used, 1);
    nowMs = 100;
    assert.equal(flights.mayShare('a'), false);
    assert.equal(flights.shared('a', large), undefined);
    second.release();
    assert.equal(arena.used, 0);
    nowMs = 0;
    assert.equal(flights.shared('a', large), undefined);
  });

  it('gives nothing that was read before a change to who asks after it', async () => {
    const { arena, flights, reads, read } = scene(undefined, large);
    const before = flights.join('a', undefined, read);
    await nextTurn();
    flights.forget('a');
    const after = flights.join('a', undefined, read);
    await nextTurn();
    assert.equal(reads.length, 2);
    reads[0]?.finish();
    const old = await before;
    assert.equal(flights.shared('a', large), undefined);
    reads[1]?.finish();
    const current = await after;
    assert.notEqual(current, old);
    flights.forget('a');
    assert.equal(flights.shared('a', large), undefined);
    old.release();
    current.release();
    assert.equal(arena.used, 0);
  });
});

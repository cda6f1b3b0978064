import assert from 'node:assert/strict';
import { EventEmitter, getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { ClientGoneError } from '../../../src/errors/client-gone.ts';
import { ArenaFullError } from '../../../src/native/abi/errors.ts';
import { MemoryArena } from '../../../src/native/arena/arena.ts';
import { mapMemory } from '../../../src/native/arena/memory.ts';
import { waitForRoom } from '../../../src/scheduler/arena-room.ts';

class Client extends EventEmitter {
  destroyed = false as boolean;

  listening(): number {
    return getEventListeners(this, 'close').length;
  }
}

/** An arena of 4 KiB that is full until its holder releases it. */
function fullArena() {
  const arena = new MemoryArena(mapMemory(4096, { hugePages: false }), { debug: true });
  const holder = arena.tryAllocate(3072);
  assert.ok(holder);
  return { arena, holder };
}

const long = 60_000;

describe('waitForRoom', () => {
  it('removes a client that disconnects from the queue, and serves the next one', async () => {
    const { arena, holder } = fullArena();
    const client = new Client();
    const first = waitForRoom(arena, 2048, long, client);
    const second = waitForRoom(arena, 1024, long, new Client());
    assert.equal(arena.stats().waiters, 2);
    client.emit('close');
    await assert.rejects(first, ClientGoneError);
    (await second).release();
    assert.equal(client.listening(), 0);
    holder.release();
    assert.equal(arena.stats().blocks, 0);
  });

  it('keeps the place of a client that has only ended its side', async () => {
    const { arena, holder } = fullArena();
    const client = new Client();
    const waiting = waitForRoom(arena, 2048, long, client);
    client.emit('end');
    holder.release();
    (await waiting).release();
  });

  it('removes a client that ends early, and checks this only while it waits', async () => {
    const { arena, holder } = fullArena();
    let isParsed = true;
    const client = Object.assign(new Client(), {
      hasEndedEarly() {
        assert.equal(isParsed, false, 'asked while its bytes may be parsed');
        return true;
      },
    });
    const waiting = waitForRoom(arena, 2048, long, client);
    isParsed = false;
    assert.equal(arena.stats().waiters, 1);
    await assert.rejects(waiting, ClientGoneError);
    assert.equal(client.listening(), 0);
    holder.release();
  });

  it('does not start to wait for a client that has disconnected', async () => {
    const { arena } = fullArena();
    const client = new Client();
    client.destroyed = true;
    await assert.rejects(waitForRoom(arena, 2048, long, client), ClientGoneError);
    assert.deepEqual([arena.stats().waiters, client.listening()], [0, 0]);
  });

  it('returns the block when there is memory, and stops listening', async () => {
    const { arena, holder } = fullArena();
    const client = new Client();
    const waiting = waitForRoom(arena, 2048, long, client);
    holder.release();
    const block = await waiting;
    assert.equal(client.listening(), 0);
    client.emit('close');
    block.release();
    assert.equal(arena.stats().blocks, 0);
  });

  it('reports when the time is over, with and without a client', async () => {
    const { arena } = fullArena();
    const client = new Client();
    await assert.rejects(waitForRoom(arena, 2048, 1, client), ArenaFullError);
    await assert.rejects(waitForRoom(arena, 2048, 1, undefined), ArenaFullError);
    assert.equal(client.listening(), 0);
  });
});

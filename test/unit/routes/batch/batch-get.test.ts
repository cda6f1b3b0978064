import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { respondError } from '../../../../src/http/response/respond.ts';
import type { Block } from '../../../../src/native/abi/types.ts';
import { batchGet } from '../../../../src/routes/batch/batch-get.ts';
import type { ReadPlan, ReadWindow } from '../../../../src/store/read-objects.ts';
import { type ExchangeServer, startExchanges } from '../../../helpers/http/exchanges.ts';
import { until } from '../../../helpers/process/until.ts';

/** More than the kernel buffers for a client that does not read. */
const WINDOW_BYTES = 16 << 20;
const WINDOWS = 5;

describe('a batch get of several windows', { timeout: 60_000 }, () => {
  let server: ExchangeServer;
  let client: Socket;
  let waiters: number;
  /** For each window that was read: the windows whose blocks were in use at that time. */
  let inUseAtRead: number[][];
  const inUse = new Set<number>();
  /** Delays the reading of a window. */
  let reading: Promise<void> | undefined;

  beforeEach(async () => {
    server = await startExchanges({ batchKeys: 100, batchJsonBytes: 1 << 20 });
    waiters = 0;
    inUseAtRead = [];
    inUse.clear();
    reading = undefined;
    const batches = {
      planRead: (keys: readonly string[]): Promise<ReadPlan> =>
        Promise.resolve({
          keys,
          sizes: new Float64Array(keys.length).fill(WINDOW_BYTES),
          problems: new Map(),
        }),
      readWindow,
    };
    const store = { arena: { stats: () => ({ waiters }) } };
    Object.assign(server.gateway, { batches, store, layouts: [] });
    server.serve = async (exchange) => {
      try {
        await batchGet(exchange);
      } catch (error) {
        respondError(exchange, error);
      }
    };
    client = await server.connect();
  });
  afterEach(async () => {
    client.destroy();
    await server.close();
  });

  async function readWindow(_plan: ReadPlan, from: number): Promise<ReadWindow> {
    inUseAtRead.push([...inUse]);
    if (from > 0) await reading;
    inUse.add(from);
    const block = {
      length: WINDOW_BYTES,
      view: Buffer.alloc(WINDOW_BYTES, from + 1),
      release: () => void inUse.delete(from),
    } as unknown as Block;
    return { from, to: from + 1, block, offsets: Float64Array.of(0), replaced: new Map() };
  }

  function ask(): void {
    const body = JSON.stringify({ keys: Array.from({ length: WINDOWS }, (_, n) => `key-${n}`) });
    client.pause();
    client.write(
      'POST / HTTP/1.1\r\nHost: a\r\nAccept: application/vnd.safetensors\r\n' +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  }

  async function receiveAll(): Promise<void> {
    let bytes = 0;
    client.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    client.resume();
    await until(() => bytes > WINDOWS * WINDOW_BYTES && server.ended.length === 1);
    await until(() => inUse.size === 0);
  }

  it('reads the next window while one is sent, and never holds a third', async () => {
    ask();
    await until(() => inUseAtRead.length === 2);
    await receiveAll();
    assert.deepEqual(inUseAtRead, [[], [0], [1], [2], [3]]);
  });

  it('reads the next window only after the last one was sent, while others wait for memory', async () => {
    waiters = 1;
    ask();
    await until(() => client.readableLength > 0);
    await receiveAll();
    assert.deepEqual(inUseAtRead, [[], [], [], [], []]);
  });

  it('releases a window that was read for a client that disconnected during the read', async () => {
    let read = (): void => undefined;
    reading = new Promise((resolve) => {
      read = resolve;
    });
    ask();
    await until(() => inUseAtRead.length === 2);
    client.resetAndDestroy();
    await until(() => inUse.size === 0);
    read();
    await until(() => server.ended.length === 1);
    await reading;
    await until(() => inUse.size === 0);
    assert.equal(inUseAtRead.length, 2);
  });
});

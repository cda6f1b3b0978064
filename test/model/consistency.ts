/**
 * One key with large values. One client changes it through two workers, while other clients read it
 * through both. Every read must return a value that the key had after the read began (register.ts).
 */
import assert from 'node:assert/strict';
import { setTimeout as elapse } from 'node:timers/promises';
import type { Rule } from '../helpers/engine/injecting.ts';
import { History } from './history.ts';
import { absent, type State } from './model.ts';
import { connectTo, type PinnedConnection } from './pinned-connection.ts';
import { bytesOf, createRandom } from './values.ts';

export interface ConsistencyOptions {
  /** The address of a gateway with `--devices 0,1` whose engine obeys `slowReads`. */
  readonly url: string;
  readonly seed: number;
  readonly writes: number;
  readonly progress?: (writes: number) => void;
}

const KEY = 'consistency';
/** Longer than a write: while a read is in flight, a write completes and a later read begins. */
const READ_MS = 80;
export const slowReads: Rule = {
  on: ['get', 'batch_get'],
  delayAfterUs: READ_MS * 1000,
  prefix: KEY,
};

const DEVICES = [0, 1] as const;
const READERS_PER_DEVICE = 2;
const WRITES_PER_ROUND = 10;
const SHORT = 256 << 10;
/** More than the kernel's buffers can hold: an unread response keeps the worker's block allocated. */
const LONG = 6 << 20;

/** Rejects when a read returned an impossible value; the error names the writes near it. */
export async function playConsistency(options: ConsistencyOptions): Promise<void> {
  const { url, seed, writes, progress } = options;
  const path = `/v1/objects/${KEY}-${seed}`;
  const connect = (each: number): Promise<PinnedConnection[]> =>
    Promise.all(
      DEVICES.flatMap((device) => Array.from({ length: each }, () => connectTo(url, device))),
    );
  const [writers, holders, readers] = await Promise.all([
    connect(1),
    connect(1),
    connect(READERS_PER_DEVICE),
  ]);
  const history = new History(path);
  const writer = new Writer({ path, seed, history, writers, holders });
  try {
    for (let done = 0; done < writes; done += WRITES_PER_ROUND) {
      const work = playWrites(writer, Math.min(WRITES_PER_ROUND, writes - done));
      await Promise.all([
        work.ended,
        ...readers.map((reader, at) => readOn(reader, seed + done + at, history, work)),
      ]);
      history.check();
      progress?.(done + WRITES_PER_ROUND);
    }
  } finally {
    for (const connection of [...writers, ...holders, ...readers]) connection.close();
  }
}

interface Work {
  active: boolean;
  readonly ended: Promise<void>;
}

function playWrites(writer: Writer, count: number): Work {
  const play = async (): Promise<void> => {
    for (let done = 0; done < count; done += 1) await writer.step();
  };
  const work: Work = {
    active: true,
    ended: play().finally(() => {
      work.active = false;
    }),
  };
  return work;
}

/** Reads until the writes end, with pauses of different lengths. */
async function readOn(
  reader: PinnedConnection,
  seed: number,
  history: History,
  work: Work,
): Promise<void> {
  const random = createRandom(seed);
  while (work.active) {
    await (await history.beginRead(reader)).end();
    await elapse(random.between(0, READ_MS / 2));
  }
}

/** The client that changes the key: each write is complete before the next one begins. */
class Writer {
  readonly #path: string;
  readonly #history: History;
  /** One connection to each worker. */
  readonly #writers: readonly PinnedConnection[];
  readonly #holders: readonly PinnedConnection[];
  readonly #random;
  #version = 0;
  #length = LONG;

  constructor(options: {
    path: string;
    seed: number;
    history: History;
    writers: readonly PinnedConnection[];
    holders: readonly PinnedConnection[];
  }) {
    this.#path = options.path;
    this.#history = options.history;
    this.#writers = options.writers;
    this.#holders = options.holders;
    this.#random = createRandom(options.seed);
  }

  /**
   * A write through either worker, then a read through each. Another client's read through each worker
   * begins before the write; during the write it is in flight, or its response is held unread.
   */
  async step(): Promise<void> {
    const history = this.#history;
    const held = Promise.all(this.#holders.map((holder) => history.beginRead(holder)));
    if (this.#length === LONG) await held;
    else await Promise.race([held, elapse(READ_MS / 8)]);
    await this.#write();
    const served = await Promise.all(
      this.#writers.map(async (connection) => (await history.beginRead(connection)).end()),
    );
    assert.deepEqual(served, [true, true], 'a read with no write beside it failed');
    await Promise.all((await held).map((read) => read.end()));
  }

  async #write(): Promise<void> {
    const random = this.#random;
    const connection = random.pick(this.#writers);
    const state = this.#nextState();
    const status = state === absent ? 204 : this.#history.last === absent ? 201 : 200;
    await this.#history.write(state, async () => {
      const response =
        state === absent
          ? await connection.send('DELETE', this.#path)
          : await connection.send('PUT', `${this.#path}?ifExists=replace`, bytesOf(state));
      const body = await response.body();
      assert.equal(response.status, status, body.toString());
    });
  }

  #nextState(): State {
    const random = this.#random;
    if (this.#history.last !== absent && random.chance(0.15)) return absent;
    if (random.chance(0.25)) this.#length = this.#length === LONG ? SHORT : LONG;
    this.#version += 1;
    return { version: this.#version, length: this.#length };
  }
}

/**
 * Large values that one client of each key changes through two workers, while others read them through
 * both: every read must see what was completed before it began (register.ts).
 */
import assert from 'node:assert/strict';
import { absent, type State } from './model.ts';
import { connectTo, type PinnedConnection } from './pinned-connection.ts';
import { impossibleRead, type Read, type Write } from './register.ts';
import { bytesOf, createRandom, type Random } from './values.ts';

export interface ConsistencyOptions {
  /** Of a gateway with `--devices 0,1`. */
  readonly url: string;
  readonly seed: number;
  /** Requests of the clients that write: each reads after every write. */
  readonly operations: number;
  readonly progress?: (done: number) => void;
}

const KEYS = 1;
const WRITES_BETWEEN_CHECKS = 20;
const SHORT = [256 << 10, 512 << 10] as const;
/** It is read for longer than a short value is written. */
const LONG = 32 << 20;

/** Problems of a read beside writes: the client is told to try again. */
const CHANGES_BESIDE: ReadonlySet<string> = new Set(
  ['object-changed', 'object-being-written', 'read-not-trusted'].map((slug) => `/problems/${slug}`),
);

export async function playConsistency(options: ConsistencyOptions): Promise<void> {
  const { url, seed, operations, progress } = options;
  const devices = [0, 1] as const;
  const connections = await Promise.all(
    Array.from({ length: KEYS * 3 }, () => devices.map((device) => connectTo(url, device))).flat(),
  );
  try {
    const players = Array.from({ length: KEYS }, (_, at) => {
      // In turn, so that each pair reaches both workers.
      const [write0, write1, ...readers] = connections.slice(6 * at, 6 * at + 6) as [
        PinnedConnection,
        PinnedConnection,
        ...PinnedConnection[],
      ];
      return new KeyPlayer(
        `/v1/objects/consistency-${seed}-${at}`,
        createRandom(seed * 1000 + at),
        [write0, write1],
        readers,
      );
    });
    const perRound = 2 * KEYS * WRITES_BETWEEN_CHECKS;
    for (let done = 0; done < operations; done += perRound) {
      await Promise.all(players.map((player) => player.round(WRITES_BETWEEN_CHECKS)));
      progress?.(done + perRound);
    }
  } finally {
    for (const connection of connections) connection.close();
  }
}

class KeyPlayer {
  readonly #path: string;
  readonly #random: Random;
  readonly #writers: readonly [PinnedConnection, PinnedConnection];
  readonly #readers: readonly PinnedConnection[];
  #version = 0;
  #writes: Write[] = [];
  #reads: Read[] = [];
  #onWritten: (() => void)[] = [];

  constructor(
    path: string,
    random: Random,
    writers: readonly [PinnedConnection, PinnedConnection],
    readers: readonly PinnedConnection[],
  ) {
    this.#path = path;
    this.#random = random;
    this.#writers = writers;
    this.#readers = readers;
  }

  /** Writes and reads for a while, and holds what was seen against what was written. */
  async round(writes: number): Promise<void> {
    let writing = true;
    const write = async (): Promise<void> => {
      try {
        for (let done = 0; done < writes; done += 1) await this.#write();
      } finally {
        writing = false;
        this.#announceWrite();
      }
    };
    const readOn = async (connection: PinnedConnection): Promise<void> => {
      while (writing) {
        const written = new Promise<void>((resolve) => this.#onWritten.push(resolve));
        const dice = this.#random.next();
        // A client that reads slowly: its worker still has the value of before the write.
        if (dice < 0.4) await this.#read(connection, written);
        else {
          await this.#read(connection);
          if (dice < 0.8) await written;
        }
      }
    };
    await Promise.all([write(), ...this.#readers.map(readOn)]);
    const found = impossibleRead(this.#writes, this.#reads);
    if (found !== undefined) assert.fail(this.#describe(found));
    this.#writes = this.#writes.slice(-1);
    this.#reads = [];
  }

  /** One write through either worker, and a read of it through the same or the other one. */
  async #write(): Promise<void> {
    const random = this.#random;
    const connection = random.pick(this.#writers);
    const present = (this.#writes.at(-1)?.state ?? absent) !== absent;
    const removes = present && random.chance(0.15);
    if (!removes) this.#version += 1;
    const last = this.#writes.at(-1)?.state;
    const afterLong = typeof last === 'object' && last.length === LONG;
    const length = !afterLong && random.chance(0.7) ? LONG : random.pick(SHORT);
    const state: State = removes ? absent : { version: this.#version, length };
    const write = { state, beganMs: performance.now(), endedMs: Infinity };
    this.#writes.push(write);
    const { status } =
      state === absent
        ? await connection.send('DELETE', this.#path)
        : await connection.send('PUT', `${this.#path}?ifExists=replace`, { body: bytesOf(state) });
    write.endedMs = performance.now();
    assert.equal(status, state === absent ? 204 : present ? 200 : 201);
    this.#announceWrite();
    // The readers still read a long value when the next write is complete.
    if (length === LONG && !removes) return;
    assert.ok(
      await this.#read(random.pick(this.#writers)),
      'a read without a write beside it failed',
    );
  }

  #announceWrite(): void {
    for (const resolve of this.#onWritten.splice(0)) resolve();
  }

  /** False when the object changed too often meanwhile for the read to be served. */
  async #read(connection: PinnedConnection, readBody?: Promise<void>): Promise<boolean> {
    const beganMs = performance.now();
    const { status, body } = await connection.send('GET', this.#path, { readBody });
    const endedMs = performance.now();
    if (status === 200) {
      this.#reads.push({ beganMs, endedMs, saw: this.#stateOf(body) });
      return true;
    }
    const text = body.toString();
    const { type } = JSON.parse(text) as { type: string };
    if (CHANGES_BESIDE.has(type)) return false;
    assert.equal(type, '/problems/object-not-found', `GET ${this.#path} → ${text}`);
    this.#reads.push({ beganMs, endedMs, saw: absent });
    return true;
  }

  /** The write whose bytes these are: the latest, and the one before the round at the earliest. */
  #stateOf(body: Buffer): State | undefined {
    return this.#writes
      .map(({ state }) => state)
      .reverse()
      .find((state) => state !== absent && bytesOf(state).equals(body));
  }

  #describe({ saw, beganMs, endedMs }: Read): string {
    const named = (state: State | undefined): string =>
      typeof state === 'object' ? `version ${state.version} (${state.length} bytes)` : `${state}`;
    const near = this.#writes
      .filter((write) => write.endedMs >= beganMs - 1000 && write.beganMs <= endedMs)
      .map((write) => {
        const from = (write.beganMs - beganMs).toFixed(1);
        return `${named(write.state)} from ${from} to ${(write.endedMs - beganMs).toFixed(1)} ms`;
      });
    const ms = (endedMs - beganMs).toFixed(1);
    return `${this.#path}: a GET of ${ms} ms found ${named(saw)}; written since its begin: ${near.join(', ')}`;
  }
}

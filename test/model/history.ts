/** The operations of several clients on one key, with their times; register.ts checks them. */
import assert from 'node:assert/strict';
import { absent, type State } from './model.ts';
import type { PinnedConnection, PinnedResponse } from './pinned-connection.ts';
import { impossibleRead, type Read, type Write } from './register.ts';
import { bytesOf } from './values.ts';

/** The gateway asks the client to repeat a read when the object changes during the read. */
const RETRY: ReadonlySet<string> = new Set(
  ['object-changed', 'object-being-written', 'read-not-trusted'].map((slug) => `/problems/${slug}`),
);

export interface PendingRead {
  /** Reads the body; returns false when the gateway asked the client to repeat the read. */
  end(): Promise<boolean>;
}

/** All writes and reads of the key, with the times at which clients began and ended them. */
export class History {
  readonly #path: string;
  #writes: Write[] = [];
  #reads: Read[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** The state that the latest write made. */
  get last(): State {
    return this.#writes.at(-1)?.state ?? absent;
  }

  async write(state: State, send: () => Promise<void>): Promise<void> {
    const write = { state, beganMs: performance.now(), endedMs: Infinity };
    this.#writes.push(write);
    await send();
    write.endedMs = performance.now();
  }

  async beginRead(connection: PinnedConnection): Promise<PendingRead> {
    const beganMs = performance.now();
    const response = await connection.send('GET', this.#path);
    return { end: () => this.#endRead(beganMs, response) };
  }

  async #endRead(beganMs: number, { status, view }: PinnedResponse): Promise<boolean> {
    const bytes = await view();
    const endedMs = performance.now();
    if (status === 200) {
      this.#reads.push({ beganMs, endedMs, saw: this.#stateOf(bytes) });
      return true;
    }
    const text = bytes.toString();
    const { type } = JSON.parse(text) as { type: string };
    if (RETRY.has(type)) return false;
    assert.equal(type, '/problems/object-not-found', `GET ${this.#path} → ${text}`);
    this.#reads.push({ beganMs, endedMs, saw: absent });
    return true;
  }

  /** Compares all reads with all writes. No read may be pending. Later checks need the last write only. */
  check(): void {
    const found = impossibleRead(this.#writes, this.#reads);
    if (found !== undefined) assert.fail(this.#describe(found));
    this.#writes = this.#writes.slice(-1);
    this.#reads = [];
  }

  /** The state of the latest write of these bytes since the previous check. */
  #stateOf(body: Buffer): State | undefined {
    return this.#writes
      .map(({ state }) => state)
      .reverse()
      .find((state) => state !== absent && bytesOf(state).equals(body));
  }

  #describe({ saw, beganMs, endedMs }: Read): string {
    const named = (state: State | undefined): string =>
      typeof state === 'object'
        ? `version ${state.version} of ${state.length} bytes`
        : (state ?? 'unknown bytes');
    const near = this.#writes
      .filter((write) => write.endedMs >= beganMs - 1000 && write.beganMs <= endedMs)
      .map((write) => {
        const from = (write.beganMs - beganMs).toFixed(1);
        return `${named(write.state)} from ${from} to ${(write.endedMs - beganMs).toFixed(1)} ms`;
      });
    const ms = (endedMs - beganMs).toFixed(1);
    return `stale read: GET ${this.#path} of ${ms} ms returned ${named(saw)}. Writes, in time since the GET began: ${near.join(', ')}`;
  }
}

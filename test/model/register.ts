/** Checks whether the reads of one key by several clients are possible, when its writes do not overlap. */
import { absent, type State } from './model.ts';

/** From before the request was sent until its whole response had arrived. */
interface Interval {
  readonly beganMs: number;
  readonly endedMs: number;
}

export interface Write extends Interval {
  readonly state: State;
}

export interface Read extends Interval {
  /** Undefined for bytes that no client has written. */
  readonly saw: State | undefined;
}

/**
 * The first read that saw a state it could not see; undefined when there is none. A read may see each
 * state that some moment of the read could have had: a write takes effect between its begin and its
 * end. A read that begins when another has ended sees no older state than that one.
 *
 * `writes` are in their order. The gateway replaces a value by a remove and a put, so a read between
 * them may find no object.
 */
export function impossibleRead(writes: readonly Write[], reads: readonly Read[]): Read | undefined {
  const states = statesOf(writes);
  const byEnd = [...reads].sort((a, b) => a.endedMs - b.endedMs);
  const places = new Map<Read, number>();
  let ended = 0;
  let oldest = 0;
  for (const read of [...reads].sort((a, b) => a.beganMs - b.beganMs)) {
    for (; (byEnd[ended] as Read).endedMs < read.beganMs; ended += 1) {
      oldest = Math.max(oldest, places.get(byEnd[ended] as Read) ?? 0);
    }
    const place = states.findIndex(
      ({ state, beganMs }, at) =>
        at >= oldest &&
        state === read.saw &&
        beganMs <= read.endedMs &&
        (states[at + 1]?.endedMs ?? Infinity) >= read.beganMs,
    );
    if (place < 0) return read;
    places.set(read, place);
  }
  return undefined;
}

function statesOf(writes: readonly Write[]): Write[] {
  const states: Write[] = [{ state: absent, beganMs: -Infinity, endedMs: -Infinity }];
  for (const write of writes) {
    const replaces = states.at(-1)?.state !== absent && write.state !== absent;
    if (replaces) states.push({ ...write, state: absent });
    states.push(write);
  }
  return states;
}

/** A stream, read in the lengths that are wanted and no further than asked. */
export interface ByteSource {
  /** At least one byte and at most `most`; undefined at the end. */
  some(most: number): Promise<Uint8Array | undefined>;
  /** Exactly so many. Rejects with TypeError when the stream ends before. */
  take(bytes: number): Promise<Uint8Array>;
  /** Lets go of a stream whose rest nobody wants; harmless when it has ended. */
  readonly cancel: (reason?: unknown) => Promise<void>;
}

/**
 * An end that comes too early. Of the kind that fetch throws for a broken connection: a proxy can
 * make a complete answer of half of one, and what helps is the same.
 */
export const brokenOff = (missing: number): TypeError =>
  new TypeError(`the answer broke off: ${missing} bytes are missing`);

export function byteSource(stream: ReadableStream<Uint8Array> | null): ByteSource {
  const reader = stream?.getReader();
  let chunk: Uint8Array = new Uint8Array(0);

  async function some(most: number): Promise<Uint8Array | undefined> {
    while (chunk.length === 0) {
      const next = await reader?.read();
      if (next?.value === undefined) return undefined;
      chunk = next.value;
    }
    const piece = chunk.subarray(0, most);
    chunk = chunk.subarray(piece.length);
    return piece;
  }

  async function take(bytes: number): Promise<Uint8Array> {
    const whole = new Uint8Array(bytes);
    for (let at = 0; at < bytes; ) {
      const piece = await some(bytes - at);
      if (piece === undefined) throw brokenOff(bytes - at);
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  return {
    some,
    take,
    // What broke by itself cannot be cancelled, and its error has been seen.
    cancel: async (reason) => reader?.cancel(reason).catch(() => undefined),
  };
}

/** Reads a stream in the requested lengths, and never more than requested. */
export interface ByteSource {
  /** At least one byte and at most `most`; undefined at the end. */
  some(most: number): Promise<Uint8Array | undefined>;
  /** Exactly `bytes` bytes. Rejects with TypeError if the stream ends before. */
  take(bytes: number): Promise<Uint8Array>;
  /** Cancels a stream whose rest is not needed; no effect after its end. */
  readonly cancel: (reason?: unknown) => Promise<void>;
}

/**
 * The error for an early end. It has the type that fetch throws for a broken connection: a proxy can
 * turn half of a response into a complete one, and the remedy is the same.
 */
export const brokenOff = (missing: number): TypeError =>
  new TypeError(`the response broke off: ${missing} bytes are missing`);

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
    // A stream that has failed cannot be cancelled, and its error was already reported.
    cancel: async (reason) => reader?.cancel(reason).catch(() => undefined),
  };
}

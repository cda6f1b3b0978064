import { type Address, addressOf, libc } from './libc.ts';

/** sendmsg(2): report a closed connection as an error, without a signal, and never wait. */
const MSG_NOSIGNAL_DONTWAIT = 0x4000 | 0x40;

/** A `msghdr` with two `iovec` (x86-64 and arm64 have the same layout), then the text. */
const VECTORS = 56;
const TEXT = 96;
const TEXT_BYTES = 64 * 1024;
/** A UTF-16 unit takes at most three bytes in UTF-8. */
const MAX_UNIT_BYTES = 3;

/** Bytes at an address, which must stay as they are until the call returns. */
export interface AddressedBytes {
  readonly address: Address;
  readonly length: number;
}

/** Writes texts and memory to sockets without Node's streams. Its memory serves one write at a time. */
class SocketWriter {
  readonly #bytes = Buffer.allocUnsafeSlow(TEXT + TEXT_BYTES).fill(0, 0, TEXT);
  readonly #address = addressOf(this.#bytes);
  readonly #words = new Uint32Array(this.#bytes.buffer, this.#bytes.byteOffset, TEXT / 4);

  constructor() {
    this.#set(16, this.#address + VECTORS);
    this.#set(VECTORS, this.#address + TEXT);
  }

  write(
    descriptor: number,
    head: string,
    text: string,
    encoding: 'latin1' | 'utf8',
    behind: AddressedBytes | undefined,
  ): number {
    if (head.length + text.length * MAX_UNIT_BYTES > TEXT_BYTES) return 0;
    let end = TEXT + this.#bytes.write(head, TEXT, 'latin1');
    if (text !== '') end += this.#bytes.write(text, end, encoding);
    this.#set(VECTORS + 8, end - TEXT);
    this.#set(24, behind === undefined ? 1 : 2);
    if (behind !== undefined) {
      this.#set(VECTORS + 16, behind.address);
      this.#set(VECTORS + 24, behind.length);
    }
    const written = libc().sendmsg(descriptor, this.#address, MSG_NOSIGNAL_DONTWAIT);
    return Math.max(0, written);
  }

  /** A 64-bit number below 2^53 as two words. */
  #set(at: number, value: number): void {
    this.#words[at / 4] = value;
    this.#words[at / 4 + 1] = value / 2 ** 32;
  }
}

let writer: SocketWriter | undefined;

/**
 * Writes an ASCII head, a text, and the bytes behind them to a non-blocking socket, with one system
 * call. Returns how many bytes the kernel has taken: 0 also after an error, which the next write through
 * Node reports.
 */
export function writeToSocket(
  descriptor: number,
  head: string,
  text: string,
  encoding: 'latin1' | 'utf8',
  behind?: AddressedBytes,
): number {
  writer ??= new SocketWriter();
  return writer.write(descriptor, head, text, encoding, behind);
}

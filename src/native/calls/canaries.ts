import { randomFillSync } from 'node:crypto';

const counter = randomFillSync(new Uint32Array(2));

/**
 * Marks a block before the engine reads into it, because a success may have copied nothing
 * (docs/engine-facts.md §5). The marks are eight random bytes at the first, the last and some places
 * between. If a value has the same eight bytes there, the read is repeated needlessly, once in 2^64
 * reads; the result is wrong once in 2^128. Blocks below 16 bytes are marked completely. Below 8 bytes,
 * where such a match is likely, the second attempt uses the inverse of the first: no value equals both.
 *
 * Only a seed is stored. Places and bytes are derived from it and from the position of the block, once
 * to write and once to check.
 */
export class Canaries {
  #seedLow = 0;
  #seedHigh = 0;
  /** State of xoroshiro64*: a few shifts for 32 bits, without allocation. */
  #s0 = 0;
  #s1 = 0;

  /** A new seed for the next read or batch of reads. */
  renew(): void {
    // A mixed Weyl sequence with a random start: no two reads of a process have the same seed.
    const low = (counter[0] as number) + 0x9e3779b9;
    counter[0] = low;
    if (low > 0xffffffff) counter[1] = (counter[1] as number) + 1;
    this.#seedLow = mix(counter[0]);
    this.#seedHigh = mix(counter[0] ^ (counter[1] as number));
  }

  plant(memory: Uint8Array, start: number, length: number, attempt: 0 | 1): void {
    this.#begin(start, length, attempt);
    if (length < 16) {
      const mask = attempt === 1 && length < 8 ? 0xff : 0;
      for (let i = 0; i < length; i++) memory[start + i] = this.#next() ^ mask;
      return;
    }
    this.#write(memory, start);
    this.#write(memory, start + length - 8);
    for (let n = placesBetween(length); n > 0; n--) this.#write(memory, this.#place(start, length));
  }

  /** Whether any mark is unchanged after the engine has reported success. */
  leftInPlace(memory: Uint8Array, start: number, length: number, attempt: 0 | 1): boolean {
    this.#begin(start, length, attempt);
    if (length < 16) return this.#smallLeft(memory, start, length, attempt);
    if (this.#same(memory, start)) return true;
    if (this.#same(memory, start + length - 8)) return true;
    for (let n = placesBetween(length); n > 0; n--) {
      if (this.#same(memory, this.#place(start, length))) return true;
    }
    return false;
  }

  #smallLeft(memory: Uint8Array, start: number, length: number, attempt: 0 | 1): boolean {
    const mask = attempt === 1 && length < 8 ? 0xff : 0;
    const window = Math.min(8, length);
    let firstLeft = true;
    let lastLeft = true;
    for (let i = 0; i < length; i++) {
      if (memory[start + i] === ((this.#next() ^ mask) & 0xff)) continue;
      if (i < window) firstLeft = false;
      if (i >= length - window) lastLeft = false;
    }
    return firstLeft || lastLeft;
  }

  #begin(start: number, length: number, attempt: 0 | 1): void {
    // Below 8 bytes, both attempts derive the same bytes, and the second inverts them.
    const salt = length < 8 ? 0 : attempt;
    this.#s0 = mix(this.#seedLow ^ start ^ salt);
    this.#s1 = mix((this.#seedHigh + Math.imul(start / 64 + salt, 0x9e3779b9)) | 0) | 1;
  }

  #next(): number {
    const s0 = this.#s0;
    const s1 = this.#s1 ^ s0;
    this.#s0 = ((s0 << 26) | (s0 >>> 6)) ^ s1 ^ (s1 << 9);
    this.#s1 = (s1 << 13) | (s1 >>> 19);
    return Math.imul(s0, 0x9e3779bb) >>> 0;
  }

  #place(start: number, length: number): number {
    return start + 8 + Math.floor((this.#next() / 2 ** 32) * (length - 23));
  }

  #write(memory: Uint8Array, at: number): void {
    const low = this.#next();
    const high = this.#next();
    memory[at] = low;
    memory[at + 1] = low >>> 8;
    memory[at + 2] = low >>> 16;
    memory[at + 3] = low >>> 24;
    memory[at + 4] = high;
    memory[at + 5] = high >>> 8;
    memory[at + 6] = high >>> 16;
    memory[at + 7] = high >>> 24;
  }

  #same(memory: Uint8Array, at: number): boolean {
    const low = this.#next();
    const high = this.#next();
    return (
      memory[at] === (low & 0xff) &&
      memory[at + 1] === ((low >>> 8) & 0xff) &&
      memory[at + 2] === ((low >>> 16) & 0xff) &&
      memory[at + 3] === low >>> 24 &&
      memory[at + 4] === (high & 0xff) &&
      memory[at + 5] === ((high >>> 8) & 0xff) &&
      memory[at + 6] === ((high >>> 16) & 0xff) &&
      memory[at + 7] === high >>> 24
    );
  }
}

/** Larger values have more places, because engines may copy them in pieces. */
function placesBetween(length: number): number {
  if (length < 24) return 0;
  if (length < 65_536) return 2;
  return length < 1_048_576 ? 6 : 14;
}

function mix(value: number): number {
  let x = value;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

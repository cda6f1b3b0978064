import { isUtf8 } from 'node:buffer';
import { ProblemError } from '../errors.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Longer strings are searched for their end natively; below, to ask costs more than to look. */
const SHORT_STRING = 256;

const isSpace = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/**
 * Reads JSON whose shape is known, and refuses whatever else there is at the byte where it stands.
 * Nothing is made of what is not asked for: a hostile text costs no more memory than its own bytes,
 * however deep or full of values, while JSON.parse makes up to twenty times as much of it. It also
 * sees each member's name as often as it is there. @throws ProblemError `invalid-body`
 */
export class JsonReader {
  readonly #text: Buffer;
  readonly #what: string;
  #at = 0;

  /** @param what for messages, such as `The body`. */
  constructor(text: Buffer, what: string) {
    this.#text = text;
    this.#what = what;
    if (!isUtf8(text)) throw this.fault('is not UTF-8');
  }

  /** Calls `member` with each name, for it to read the value. */
  object(member: (name: string) => void): void {
    this.#expect(0x7b, 'an object');
    if (this.#take(0x7d)) return;
    do {
      const name = this.string('a name in quotation marks');
      this.#expect(0x3a, 'a colon');
      member(name);
    } while (this.#take(0x2c));
    this.#expect(0x7d, 'a comma or the end of the object');
  }

  array(item: (index: number) => void): void {
    this.#expect(0x5b, 'an array');
    if (this.#take(0x5d)) return;
    let index = 0;
    do item(index++);
    while (this.#take(0x2c));
    this.#expect(0x5d, 'a comma or the end of the array');
  }

  string(expected = 'a string'): string {
    const { start, end, escaped } = this.#stringBounds(expected);
    if (!escaped) return this.#text.toString('utf8', start, end);
    try {
      return JSON.parse(this.#text.toString('utf8', start - 1, end + 1)) as string;
    } catch {
      throw this.fault('has a string with a wrong escape', start - 1);
    }
  }

  /** A string without escapes, as the place of its bytes: for those too long to be made twice. */
  rawString(): Buffer {
    const { start, end, escaped } = this.#stringBounds('a string');
    const raw = this.#text.subarray(start, end);
    // A slash may be written with a backslash, and by some is.
    return escaped ? Buffer.from(raw.toString('latin1').replaceAll('\\/', '/'), 'latin1') : raw;
  }

  /** A whole number that is exact in JavaScript. */
  integer(): number {
    this.#skipSpace();
    const start = this.#at;
    const text = this.#text;
    while (this.#at < text.length && /[-+.\deE]/.test(String.fromCharCode(text[this.#at] ?? 0))) {
      if (++this.#at - start > 32) break;
    }
    const digits = text.toString('latin1', start, this.#at);
    const value = /^-?(?:0|[1-9]\d{0,15})$/.test(digits) ? Number(digits) : Number.NaN;
    if (!Number.isSafeInteger(value)) throw this.fault('needs a whole number', start);
    return value;
  }

  /** To be called last: nothing but space may follow. */
  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.fault('goes on after its end');
  }

  fault(complaint: string, at = this.#at): ProblemError {
    return new ProblemError('invalid-body', {
      detail: `${this.#what} ${complaint}, at byte ${at} of ${this.#text.length}.`,
    });
  }

  #stringBounds(expected: string): { start: number; end: number; escaped: boolean } {
    this.#expect(QUOTE, expected);
    const text = this.#text;
    const start = this.#at;
    const near = Math.min(start + SHORT_STRING, text.length);
    let escaped = false;
    for (let at = start; at < near; at++) {
      const byte = text[at] as number;
      if (byte === QUOTE) {
        this.#at = at + 1;
        return { start, end: at, escaped };
      }
      if (byte < 0x20) throw this.fault('has a control character in a string', at);
      if (byte === BACKSLASH) {
        escaped = true;
        at++;
      }
    }
    const end = escaped ? this.#endOfEscaped(start) : this.#endOfLong(start);
    this.#at = end.at + 1;
    return { start, end: end.at, escaped: end.escaped };
  }

  #endOfLong(start: number): { at: number; escaped: boolean } {
    const at = this.#text.indexOf(QUOTE, start);
    if (at < 0) throw this.fault('ends within a string', start - 1);
    if (this.#text.subarray(start, at).includes(BACKSLASH)) return this.#endOfEscaped(start);
    return { at, escaped: false };
  }

  #endOfEscaped(start: number): { at: number; escaped: boolean } {
    for (let at = start; at < this.#text.length; at++) {
      const byte = this.#text[at] as number;
      if (byte === QUOTE) return { at, escaped: true };
      if (byte === BACKSLASH) at++;
    }
    throw this.fault('ends within a string', start - 1);
  }

  #skipSpace(): void {
    while (isSpace(this.#text[this.#at])) this.#at++;
  }

  #take(byte: number): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== byte) return false;
    this.#at++;
    return true;
  }

  #expect(byte: number, expected: string): void {
    if (this.#take(byte)) return;
    throw this.#at >= this.#text.length
      ? this.fault(`ends where there should be ${expected}`)
      : this.fault(`does not have ${expected} where there should be one`);
  }
}

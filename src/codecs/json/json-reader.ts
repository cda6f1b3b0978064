import { ProblemError } from '../../errors/problems.ts';
import { TimeSlices } from '../time-slices.ts';
import { escapeLength, isUtf8Text } from '../utf8.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** The end of longer strings is searched natively; for shorter ones the native call costs more. */
const SHORT_STRING = 256;
/** Limit of a string that is created, and of consecutive blanks: longer ones would block for too long. */
const MAX_STRING_BYTES = 64 * 1024;
/** Bytes that are searched or checked natively at once: about a tenth of a millisecond. */
const WINDOW_BYTES = 1 << 20;
/** Names that are compared with the bytes of the text: for short strings that costs less than a native call. */
const COMMON_NAME = /^[A-Za-z]{1,16}$/;
const MAX_COMMON_NAMES = 8;
/** Bytes between two readings of the clock. */
const CLOCK_BYTES = 16 * 1024;

const MEMBER_END = 'a comma or the end of the object';
const ITEM_END = 'a comma or the end of the array';

const isSpace = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/**
 * Reads JSON of a known shape, and refuses everything else at its byte. It creates values only for
 * requested members, so a hostile text needs no more memory than its own bytes; JSON.parse needs up to
 * twenty times as much. It also reports duplicate members. A method returns a promise when its time slice
 * is used up: do not read on before it resolves. @throws ProblemError `invalid-body`
 */
export class JsonReader {
  readonly #text: Buffer;
  readonly #what: string;
  readonly #slices: TimeSlices;
  /** Names of this text: most of them repeat, once for each item. */
  readonly #names: string[] = [];
  #at = 0;
  /** Position of the last reading of the clock. */
  #clockAt = 0;

  private constructor(text: Buffer, what: string, slices: TimeSlices) {
    this.#text = text;
    this.#what = what;
    this.#slices = slices;
  }

  /**
   * @param what for messages, such as `The body`
   * @param slices of the work that includes this
   */
  static async open(text: Buffer, what: string, slices = new TimeSlices()): Promise<JsonReader> {
    const reader = new JsonReader(text, what, slices);
    if (text.length > WINDOW_BYTES) await reader.#slices.next();
    if (!(await isUtf8Text(text, reader.#slices))) throw reader.fault('is not UTF-8');
    return reader;
  }

  /** Calls `member` with each name; it must read the value. */
  object(member: (name: string) => void | Promise<void>): void | Promise<void> {
    this.#expect(0x7b, 'an object');
    if (this.#take(0x7d)) return;
    // Without a promise or a function for each object: nearly all are small, and a text has many.
    do {
      const wait = this.#member(member);
      if (wait !== undefined) return this.#membersAfter(wait, member);
    } while (this.#more(0x7d, MEMBER_END));
  }

  array(item: (index: number) => void | Promise<void>): void | Promise<void> {
    this.#expect(0x5b, 'an array');
    if (this.#take(0x5d)) return;
    let index = 0;
    do {
      const wait = this.#item(item, index++);
      if (wait !== undefined) return this.#itemsAfter(wait, item, index);
    } while (this.#more(0x5d, ITEM_END));
  }

  /** @throws ProblemError also for more than 64 KiB: no name, key or option is as long. */
  string(expected = 'a string'): string {
    const { start, end, escaped } = this.#stringBounds(expected);
    if (!escaped) return this.#text.toString('utf8', start, end);
    try {
      return JSON.parse(this.#text.toString('utf8', start - 1, end + 1)) as string;
    } catch {
      throw this.fault('has a string with a wrong escape', start - 1);
    }
  }

  #name(): string {
    const expected = 'a name in quotation marks';
    this.#skipSpace();
    const text = this.#text;
    const start = this.#at + 1;
    if (text[this.#at] === QUOTE) {
      for (const name of this.#names) {
        if (text[start + name.length] !== QUOTE) continue;
        let same = 0;
        while (same < name.length && text[start + same] === name.charCodeAt(same)) same++;
        if (same < name.length) continue;
        this.#at = start + name.length + 1;
        return name;
      }
    }
    const name = this.string(expected);
    if (this.#names.length < MAX_COMMON_NAMES && COMMON_NAME.test(name)) this.#names.push(name);
    return name;
  }

  /** Skips a string of any length. */
  skipString(expected = 'a string'): void | Promise<void> {
    this.#expect(QUOTE, expected);
    const start = this.#at;
    const skip = (): void | Promise<void> => {
      while (!this.#skipPart(start)) {
        const wait = this.#slices.pause();
        if (wait !== undefined) return wait.then(skip);
      }
    };
    return skip();
  }

  /**
   * The raw bytes of a base64 string, including escapes: for strings that are too long to be copied. A
   * quotation mark after a backslash is invalid in base64.
   */
  rawString(): Buffer | Promise<Buffer> {
    this.#expect(QUOTE, 'a string');
    const start = this.#at;
    const find = (): Buffer | Promise<Buffer> => {
      for (;;) {
        const window = this.#text.subarray(this.#at, this.#at + WINDOW_BYTES);
        const found = window.indexOf(QUOTE);
        this.#at += found < 0 ? window.length : found + 1;
        if (found >= 0) break;
        if (this.#at === this.#text.length) throw this.fault('ends within a string', start - 1);
        const wait = this.#slices.pause();
        if (wait !== undefined) return wait.then(find);
      }
      const raw = this.#text.subarray(start, this.#at - 1);
      if (raw.at(-1) === BACKSLASH) throw this.fault('has a value that is not base64', start - 1);
      return raw;
    };
    return find();
  }

  /** A whole number that is exact in JavaScript. */
  integer(): number {
    this.#skipSpace();
    const start = this.#at;
    const text = this.#text;
    const plain = this.#plainInteger(start);
    if (plain >= 0) return plain;
    while (this.#at < text.length && /[-+.\deE]/.test(String.fromCharCode(text[this.#at] ?? 0))) {
      if (++this.#at - start > 32) break;
    }
    const digits = text.toString('latin1', start, this.#at);
    const value = /^-?(?:0|[1-9]\d{0,15})$/.test(digits) ? Number(digits) : Number.NaN;
    if (!Number.isSafeInteger(value)) throw this.fault('needs a whole number', start);
    return value;
  }

  /** A number of 1 to 15 digits before a comma or a bracket, as nearly all are; −1 for any other text. */
  #plainInteger(start: number): number {
    const text = this.#text;
    let value = 0;
    let at = start;
    for (; at < start + 15; at++) {
      const digit = (text[at] ?? 0) - 0x30;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
    }
    const next = text[at];
    const ends = next === 0x2c || next === 0x7d || next === 0x5d;
    if (!ends || at === start || (text[start] === 0x30 && at > start + 1)) return -1;
    this.#at = at;
    return value;
  }

  /** Call it last: only white space may follow. */
  async end(): Promise<void> {
    for (; this.#at < this.#text.length; this.#at++) {
      if (!isSpace(this.#text[this.#at])) throw this.fault('has data after its end');
      const wait = this.#pauseAtTimes();
      if (wait !== undefined) await wait;
    }
  }

  fault(complaint: string, at = this.#at): ProblemError {
    return new ProblemError('invalid-body', {
      detail: `${this.#what} ${complaint}, at byte ${at} of ${this.#text.length}.`,
    });
  }

  #member(member: (name: string) => void | Promise<void>): void | Promise<void> {
    const name = this.#name();
    this.#expect(0x3a, 'a colon');
    return member(name) ?? this.#pauseAtTimes();
  }

  async #membersAfter(
    wait: Promise<void>,
    member: (name: string) => void | Promise<void>,
  ): Promise<void> {
    await wait;
    while (this.#more(0x7d, MEMBER_END)) {
      const next = this.#member(member);
      if (next !== undefined) await next;
    }
  }

  #item(item: (index: number) => void | Promise<void>, index: number): void | Promise<void> {
    return item(index) ?? this.#pauseAtTimes();
  }

  async #itemsAfter(
    wait: Promise<void>,
    item: (index: number) => void | Promise<void>,
    next: number,
  ): Promise<void> {
    await wait;
    for (let index = next; this.#more(0x5d, ITEM_END); index++) {
      const pause = this.#item(item, index);
      if (pause !== undefined) await pause;
    }
  }

  /** Reads the comma before an entry, or the closing bracket. */
  #more(close: number, expected: string): boolean {
    if (this.#take(0x2c)) return true;
    this.#expect(close, expected);
    return false;
  }

  #pauseAtTimes(): Promise<void> | undefined {
    if (this.#at - this.#clockAt < CLOCK_BYTES) return undefined;
    this.#clockAt = this.#at;
    return this.#slices.pause();
  }

  /** Skips a part of a string; true at its end. */
  #skipPart(start: number): boolean {
    const text = this.#text;
    const to = Math.min(text.length, this.#at + WINDOW_BYTES / 4);
    let at = this.#at;
    for (; at < to; at++) {
      const byte = text[at] as number;
      if (byte === QUOTE) {
        this.#at = at + 1;
        return true;
      }
      if (byte < 0x20) throw this.fault('has a control character in a string', at);
      if (byte !== BACKSLASH) continue;
      const bytes = escapeLength(text, at);
      if (bytes === 0) throw this.fault('has a string with a wrong escape', at);
      at += bytes - 1;
    }
    this.#at = at;
    if (at >= text.length) throw this.fault('ends within a string', start - 1);
    return false;
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
    const near = this.#text.subarray(start, start + MAX_STRING_BYTES + 1);
    const found = near.indexOf(QUOTE);
    if (near.subarray(0, found < 0 ? near.length : found).includes(BACKSLASH)) {
      return this.#endOfEscaped(start);
    }
    if (found < 0) throw this.#endless(start);
    return { at: start + found, escaped: false };
  }

  #endOfEscaped(start: number): { at: number; escaped: boolean } {
    const last = Math.min(this.#text.length - 1, start + MAX_STRING_BYTES);
    for (let at = start; at <= last; at++) {
      const byte = this.#text[at] as number;
      if (byte === QUOTE) return { at, escaped: true };
      if (byte === BACKSLASH) at++;
    }
    throw this.#endless(start);
  }

  #endless(start: number): ProblemError {
    return start + MAX_STRING_BYTES >= this.#text.length
      ? this.fault('ends within a string', start - 1)
      : this.fault(`has a string of more than ${MAX_STRING_BYTES} bytes`, start - 1);
  }

  #skipSpace(): void {
    const last = this.#at + MAX_STRING_BYTES;
    while (isSpace(this.#text[this.#at])) {
      if (++this.#at <= last) continue;
      throw this.fault(`has more than ${MAX_STRING_BYTES} blanks in a row`);
    }
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
      ? this.fault(`ends where ${expected} is expected`)
      : this.fault(`does not have ${expected} where it is expected`);
  }
}

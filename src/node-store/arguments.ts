/** Checks of the arguments of `openStore` and its store. Every fault is a TypeError that names the argument. */
import { MAX_REPLICAS } from '../native/abi/limits.ts';
import type { Block, PutOptions } from '../native/abi/types.ts';
import { isStorable } from '../native/calls/key-bytes.ts';
import type { Bytes } from './transfer.ts';

/** The action of a put if the object exists: `fail` is the default. */
export type IfExists = 'fail' | 'keep' | 'replace';

/** What a put did: `kept` and `replaced` only with that `ifExists`. */
export type PutOutcome = 'created' | 'kept' | 'replaced';

/** Where an object is stored, and what happens if it exists. */
export interface StorePutOptions {
  /** Copies in the memory of different services, 1…8; 1 by default. */
  readonly replicas?: number | undefined;
  /** Ids of the services that must hold them: unique, at most as many as `replicas`. */
  readonly prefer?: readonly number[] | undefined;
  readonly ifExists?: IfExists | undefined;
}

const MAX_SERVICE_ID = 2 ** 31 - 1;
const MAX_TIMER_MS = 2 ** 31 - 1;
const actions: readonly unknown[] = ['fail', 'keep', 'replace'];
const putOptionNames = ['replicas', 'prefer', 'ifExists'];

export function keyArgument(key: unknown, name = 'key'): string {
  if (typeof key !== 'string') refuse(name, `must be a string, not ${kindOf(key)}`);
  if (!isStorable(key)) {
    refuse(name, 'must have 1 to 255 bytes of UTF-8, no NUL and no half of a surrogate pair');
  }
  return key;
}

export function keysArgument(keys: unknown, name = 'keys'): readonly string[] {
  return arrayArgument(keys, name).map((key, at) => keyArgument(key, `${name}[${at}]`));
}

/** Bytes of the caller, not copied. */
export function bytesArgument(value: unknown, name: string): Bytes {
  const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : value;
  if (!(bytes instanceof Uint8Array) && !isBlock(bytes)) {
    refuse(
      name,
      `must be a Uint8Array, an ArrayBuffer or a block of the arena, not ${kindOf(value)}`,
    );
  }
  if (bytes.length === 0) refuse(name, 'must have at least one byte');
  return bytes;
}

/** Memory to register: a block of the arena already is, and a plain ArrayBuffer has no view to find it by. */
export function bufferArgument(buffer: unknown): void {
  if (!(buffer instanceof Uint8Array)) {
    refuse('buffer', `must be a Uint8Array, not ${kindOf(buffer)}`);
  }
  if (buffer.length === 0) refuse('buffer', 'must have at least one byte');
}

export function piecesArgument(pieces: unknown, name: string): readonly Bytes[] {
  const all = arrayArgument(pieces, name);
  if (all.length === 0) refuse(name, 'must have at least one item');
  return all.map((piece, at) => bytesArgument(piece, `${name}[${at}]`));
}

/** Pairs of key and value: an array, a Map or another iterable of pairs. */
export function entriesArgument(entries: unknown): (readonly [string, Bytes])[] {
  if (!isIterable(entries)) {
    refuse('entries', `must be an iterable of [key, value], not ${kindOf(entries)}`);
  }
  return Array.from(entries, (entry, at) => {
    if (!Array.isArray(entry) || entry.length !== 2) {
      refuse(`entries[${at}]`, `must be an array of key and value, not ${kindOf(entry)}`);
    }
    const [key, value] = entry as unknown[];
    return [keyArgument(key, `entries[${at}][0]`), bytesArgument(value, `entries[${at}][1]`)];
  });
}

export function sizesArgument(sizes: unknown): readonly number[] {
  const all = arrayArgument(sizes, 'options.sizes');
  if (all.length === 0) refuse('options.sizes', 'must have at least one item');
  return all.map((size, at) => wholeNumber(size, `options.sizes[${at}]`, 1, 2 ** 40));
}

export function putArguments(options: unknown): { options: PutOptions; ifExists: IfExists } {
  const { replicas, prefer, ifExists = 'fail' } = optionsArgument(options, putOptionNames);
  const copies = wholeNumber(replicas ?? 1, 'options.replicas', 1, MAX_REPLICAS);
  const services = arrayArgument(prefer ?? [], 'options.prefer').map((id, at) =>
    wholeNumber(id, `options.prefer[${at}]`, 0, MAX_SERVICE_ID),
  );
  if (new Set(services).size !== services.length) {
    refuse('options.prefer', 'must not name a service twice');
  }
  if (services.length > copies) {
    refuse('options.prefer', `must have at most as many services as replicas, here ${copies}`);
  }
  if (!actions.includes(ifExists)) {
    refuse('options.ifExists', "must be 'fail', 'keep' or 'replace'");
  }
  return { options: { replicas: copies, prefer: services }, ifExists: ifExists as IfExists };
}

/** Milliseconds, as a timer accepts them. */
export function deadlineArgument(deadlineMs: unknown): number {
  return wholeNumber(deadlineMs, 'deadlineMs', 1, MAX_TIMER_MS);
}

/** An object with no other members than `known`. */
export function optionsArgument(
  options: unknown,
  known: readonly string[],
): Readonly<Record<string, unknown>> {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    refuse('options', `must be an object, not ${kindOf(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      refuse(`options.${name}`, `is unknown; the options are ${known.join(', ')}`);
    }
  }
  return options as Readonly<Record<string, unknown>>;
}

function arrayArgument(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) refuse(name, `must be an array, not ${kindOf(value)}`);
  // Array.from turns a hole into undefined, which no check accepts.
  return Array.from(value as readonly unknown[]);
}

function wholeNumber(value: unknown, name: string, least: number, most: number): number {
  if (!Number.isInteger(value) || Number(value) < least || Number(value) > most) {
    refuse(name, `must be a whole number from ${least} to ${most}, not ${String(value)}`);
  }
  return Number(value);
}

const isIterable = (value: unknown): value is Iterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.iterator in value;

const isBlock = (value: unknown): value is Block =>
  typeof value === 'object' && value !== null && 'address' in value && 'retain' in value;

/** The kind of a value in words, never its content. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (Array.isArray(value)) return 'an array';
  // An object without a prototype has no constructor.
  const { name = '' } = (value.constructor as { name?: string } | undefined) ?? {};
  return name === '' || name === 'Object' ? 'an object' : `an instance of ${name}`;
}

function refuse(name: string, fault: string): never {
  throw new TypeError(`${name} ${fault}`);
}

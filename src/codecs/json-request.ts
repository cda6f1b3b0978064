import { ProblemError } from '../errors.ts';
import { type PutQuery, placementOf } from '../http/placement.ts';
import { printable } from '../http/query.ts';
import { MAX_REPLICAS } from '../native/limits.ts';
import { JsonReader } from './json-reader.ts';
import { requireKey, tooManyKeys } from './keys.ts';

/** The keys of a body such as `{"keys":["a","b"]}`. */
export function readKeys(text: Buffer, most: number): string[] {
  const reader = new JsonReader(text, 'The body');
  const keys: string[] = [];
  const members = new Set<string>();
  reader.object((name) => {
    if (name !== 'keys') throw unknownMember(reader, name, 'keys');
    noteMember(reader, members, name);
    reader.array((index) => {
      if (index >= most) throw tooManyKeys(most);
      const key = reader.string();
      requireKey(key, `keys[${index}]`);
      keys.push(key);
    });
  });
  reader.end();
  if (!members.has('keys')) throw reader.fault('has no member "keys"');
  return keys;
}

/** One value of a batch put, in base64 as it stands in the body. */
export interface JsonItem {
  readonly key: string;
  readonly base64: Buffer;
}

export interface JsonPut {
  readonly put: PutQuery;
  readonly items: readonly JsonItem[];
}

const MEMBERS = 'items, replicas, prefer, ifExists';

/**
 * The body of a batch put. It is read whole before anything is stored, since what it says about
 * replicas may stand behind the items.
 */
export function readPut(text: Buffer, most: number): JsonPut {
  const reader = new JsonReader(text, 'The body');
  const members = new Set<string>();
  const found: { items?: JsonItem[]; replicas?: number; prefer?: number[]; ifExists?: string } = {};
  reader.object((name) => {
    noteMember(reader, members, name);
    if (name === 'items') found.items = readItems(reader, most);
    else if (name === 'replicas') found.replicas = reader.integer();
    else if (name === 'prefer') found.prefer = readPrefer(reader);
    else if (name === 'ifExists') found.ifExists = reader.string();
    else throw unknownMember(reader, name, MEMBERS);
  });
  reader.end();
  const { items, replicas, prefer, ifExists } = found;
  if (items === undefined) throw reader.fault('has no member "items"');
  return { put: placementOf(replicas, prefer, ifExists), items };
}

function readPrefer(reader: JsonReader): number[] {
  const ids: number[] = [];
  reader.array((index) => {
    if (index >= MAX_REPLICAS) {
      throw reader.fault(`has more than ${MAX_REPLICAS} services in "prefer"`);
    }
    ids.push(reader.integer());
  });
  return ids;
}

function readItems(reader: JsonReader, most: number): JsonItem[] {
  const items: JsonItem[] = [];
  reader.array((index) => {
    if (index >= most) throw tooManyKeys(most);
    items.push(readItem(reader, index));
  });
  return items;
}

function readItem(reader: JsonReader, index: number): JsonItem {
  const found: { key?: string; base64?: Buffer } = {};
  reader.object((name) => {
    if (name !== 'key' && name !== 'value') throw unknownMember(reader, name, 'key, value');
    if ((name === 'key' ? found.key : found.base64) !== undefined) {
      throw reader.fault(`has the member "${name}" twice in items[${index}]`);
    }
    if (name === 'key') found.key = reader.string();
    else found.base64 = reader.rawString();
  });
  const { key, base64 } = found;
  if (key === undefined || base64 === undefined) {
    throw reader.fault(`needs "key" and "value" in items[${index}]`);
  }
  requireKey(key, `items[${index}].key`);
  requireBase64(base64, index);
  return { key, base64 };
}

/** Bytes that base64 of this length stands for. */
export function decodedBytes(base64: Buffer): number {
  const { length } = base64;
  if (length === 0) return 0;
  const padding = base64[length - 1] !== 0x3d ? 0 : base64[length - 2] === 0x3d ? 2 : 1;
  return (length / 4) * 3 - padding;
}

/** A multiple of 4, so that a piece of base64 is base64 too. */
const PIECE_CHARACTERS = 64 * 1024;
const WHOLE = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** RFC 4648 §4, padded and without line breaks; Node would skip over anything else. */
function requireBase64(base64: Buffer, index: number): void {
  const last = base64.length - PIECE_CHARACTERS;
  for (let at = 0; at < base64.length; at += PIECE_CHARACTERS) {
    const piece = base64.toString('latin1', at, Math.min(base64.length, at + PIECE_CHARACTERS));
    if (WHOLE.test(piece) && (at >= last || !piece.endsWith('='))) continue;
    throw new ProblemError('invalid-body', {
      detail: `items[${index}].value is not base64: padded, of the standard alphabet, nothing between.`,
    });
  }
}

/** The bytes of a value, a piece at a time. */
export function* decodePieces(base64: Buffer): Generator<Buffer> {
  for (let at = 0; at < base64.length; at += PIECE_CHARACTERS) {
    const end = Math.min(base64.length, at + PIECE_CHARACTERS);
    yield Buffer.from(base64.toString('latin1', at, end), 'base64');
  }
}

function noteMember(reader: JsonReader, members: Set<string>, name: string): void {
  if (members.has(name)) throw reader.fault(`has the member "${printable(name)}" twice`);
  members.add(name);
}

const unknownMember = (reader: JsonReader, name: string, known: string): ProblemError =>
  reader.fault(`has the unknown member "${printable(name)}" (known: ${known})`);

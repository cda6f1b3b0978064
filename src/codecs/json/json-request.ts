import type { ProblemError } from '../../errors/problems.ts';
import type { LayerNames } from '../../http/request/layer-query.ts';
import { printable } from '../../http/request/query.ts';
import type { CountItem } from '../item-cost.ts';
import { requireKey, tooManyKeys } from '../keys.ts';
import { afterwards } from '../time-slices.ts';
import { JsonReader } from './json-reader.ts';

/** The keys of a body such as `{"keys":["a","b"]}`. */
export const readKeys = async (text: Buffer, most: number, count?: CountItem): Promise<string[]> =>
  (await readGiven(text, most, count, ['keys'])).keys;

export interface JsonExists {
  readonly keys: string[];
  /** Whether the response is a number of keys instead of items. */
  readonly untilMissing: boolean;
}

/** The body of a batch exists: keys, and optionally `"until":"missing"`. */
export const readExists = async (
  text: Buffer,
  most: number,
  count?: CountItem,
): Promise<JsonExists> => {
  const { keys, until } = await readGiven(text, most, count, ['keys', 'until']);
  return { keys, untilMissing: until !== undefined };
};

export interface JsonGet {
  readonly keys: string[];
  /** The options of layers, as in the text. */
  readonly layers: LayerNames | undefined;
}

/** The body of a batch get: keys, and optionally `"layers":{"sizes":"131072x61","select":"0-3"}`. */
export const readGet = (text: Buffer, most: number, count?: CountItem): Promise<JsonGet> =>
  readGiven(text, most, count, ['keys', 'layers']);

async function readGiven(
  text: Buffer,
  most: number,
  count: CountItem | undefined,
  known: readonly string[],
): Promise<JsonGet & { readonly until: 'missing' | undefined }> {
  const reader = await JsonReader.open(text, 'The body');
  const keys: string[] = [];
  let layers: LayerNames | undefined;
  let until: 'missing' | undefined;
  const members = new Set<string>();
  await reader.object((name) => {
    if (!known.includes(name)) throw unknownMember(reader, name, known.join(', '));
    noteMember(reader, members, name);
    if (name === 'until') {
      until = readUntil(reader);
      return;
    }
    if (name !== 'layers') return readKeyArray(reader, keys, most, count);
    return afterwards(readLayerNames(reader), (names) => {
      layers = names;
    });
  });
  await reader.end();
  if (!members.has('keys')) throw reader.fault('has no member "keys"');
  return { keys, layers, until };
}

function readUntil(reader: JsonReader): 'missing' {
  const value = reader.string();
  if (value !== 'missing') {
    throw reader.fault(`has "${printable(value)}" as "until" (known: missing)`);
  }
  return value;
}

function readKeyArray(
  reader: JsonReader,
  keys: string[],
  most: number,
  count: CountItem | undefined,
): void | Promise<void> {
  return reader.array((index) => {
    if (index >= most) throw tooManyKeys(most);
    const key = reader.string();
    requireKey(key, () => `keys[${index}]`);
    count?.(key);
    keys.push(key);
  });
}

function readLayerNames(reader: JsonReader): LayerNames | Promise<LayerNames> {
  const found: { -readonly [Name in keyof LayerNames]: LayerNames[Name] } = {};
  const read = reader.object((name) => {
    if (name !== 'sizes' && name !== 'layout' && name !== 'select') {
      throw unknownMember(reader, name, 'sizes, layout, select');
    }
    if (found[name] !== undefined) throw reader.fault(`has the member "${name}" twice`);
    found[name] = reader.string();
  });
  return afterwards(read, () => found);
}

/** Throws if a member occurs twice. */
export function noteMember(reader: JsonReader, members: Set<string>, name: string): void {
  if (members.has(name)) throw reader.fault(`has the member "${printable(name)}" twice`);
  members.add(name);
}

export const unknownMember = (reader: JsonReader, name: string, known: string): ProblemError =>
  reader.fault(`has the unknown member "${printable(name)}" (known: ${known})`);

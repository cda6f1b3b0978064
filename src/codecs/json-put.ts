import { MOST_LAYERS } from '../config-layouts.ts';
import { ProblemError } from '../errors.ts';
import { type PutQuery, placementOf } from '../http/placement.ts';
import { MAX_REPLICAS } from '../native/limits.ts';
import { emptyLayer, tooManyLayers } from '../store/layers.ts';
import type { CountItem } from './item-cost.ts';
import { JsonReader } from './json-reader.ts';
import { noteMember, unknownMember } from './json-request.ts';
import { requireKey, tooManyKeys } from './keys.ts';

/** One value of a batch put: its pieces, in base64 as they stand in the body. */
export interface JsonItem {
  readonly key: string;
  /** One, or one for each layer. */
  readonly base64: readonly Buffer[];
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
export function readPut(text: Buffer, most: number, count?: CountItem): JsonPut {
  const reader = new JsonReader(text, 'The body');
  const members = new Set<string>();
  const found: { items?: JsonItem[]; replicas?: number; prefer?: number[]; ifExists?: string } = {};
  reader.object((name) => {
    noteMember(reader, members, name);
    if (name === 'items') found.items = readItems(reader, most, count);
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

function readItems(reader: JsonReader, most: number, count?: CountItem): JsonItem[] {
  const items: JsonItem[] = [];
  let pieces = 0;
  reader.array((index) => {
    if (index >= most) throw tooManyKeys(most);
    const item = readItem(reader, index);
    pieces += item.base64.length;
    // Each of them costs as much as a value.
    if (pieces > most) throw tooManyKeys(most);
    count?.(item.key, item.base64.length);
    items.push(item);
  });
  return items;
}

function readItem(reader: JsonReader, index: number): JsonItem {
  const where = `items[${index}]`;
  const found: { key?: string; base64?: readonly Buffer[] } = {};
  reader.object((name) => {
    if (name !== 'key' && name !== 'value' && name !== 'layers') {
      throw unknownMember(reader, name, 'key, value, layers');
    }
    if ((name === 'key' ? found.key : found.base64) !== undefined) {
      throw reader.fault(
        name === 'key'
          ? `has the member "key" twice in ${where}`
          : `has the members "value" and "layers", or one of them twice, in ${where}`,
      );
    }
    if (name === 'key') found.key = reader.string();
    else if (name === 'value') found.base64 = [reader.rawString()];
    else found.base64 = readLayerValues(reader, where);
  });
  const { key, base64 } = found;
  if (key === undefined || base64 === undefined) {
    throw reader.fault(`needs "key", and "value" or "layers", in ${where}`);
  }
  requireKey(key, `${where}.key`);
  for (const piece of base64) requireBase64(piece, where);
  return { key, base64 };
}

/** The body of a PUT of layers, `{"layers":["<base64>"]}`: the base64 of each. */
export function readLayersPut(text: Buffer): readonly Buffer[] {
  const reader = new JsonReader(text, 'The body');
  let layers: readonly Buffer[] | undefined;
  reader.object((name) => {
    if (name !== 'layers') throw unknownMember(reader, name, 'layers');
    if (layers !== undefined) throw reader.fault('has the member "layers" twice');
    layers = readLayerValues(reader, 'the body');
  });
  reader.end();
  if (layers === undefined) throw reader.fault('has no member "layers"');
  for (const layer of layers) requireBase64(layer, 'the body');
  return layers;
}

function readLayerValues(reader: JsonReader, where: string): readonly Buffer[] {
  const layers: Buffer[] = [];
  reader.array((number) => {
    if (number >= MOST_LAYERS) throw tooManyLayers();
    const base64 = reader.rawString();
    if (base64.length === 0) throw emptyLayer(number);
    layers.push(base64);
  });
  if (layers.length === 0) throw reader.fault(`has no layers in ${where}`);
  return layers;
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
function requireBase64(base64: Buffer, where: string): void {
  const last = base64.length - PIECE_CHARACTERS;
  for (let at = 0; at < base64.length; at += PIECE_CHARACTERS) {
    const piece = base64.toString('latin1', at, Math.min(base64.length, at + PIECE_CHARACTERS));
    if (WHOLE.test(piece) && (at >= last || !piece.endsWith('='))) continue;
    throw new ProblemError('invalid-body', {
      detail: `A value in ${where} is not base64: padded, of the standard alphabet, nothing between.`,
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

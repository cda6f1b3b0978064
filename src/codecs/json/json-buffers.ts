import { MAX_LAYERS } from '../../config/layouts.ts';
import type { ProblemError } from '../../errors/problems.ts';
import { type PutQuery, placementOf } from '../../http/request/placement.ts';
import { invalidParameter, printable } from '../../http/request/query.ts';
import { MAX_REPLICAS } from '../../native/abi/limits.ts';
import type { BufferItem, BufferRange } from '../../store/buffers/buffer-items.ts';
import { tooManyLayers } from '../../store/layers/layers.ts';
import type { CountItem } from '../item-cost.ts';
import { requireKey, tooManyKeys } from '../keys.ts';
import { afterwards } from '../time-slices.ts';
import { JsonReader } from './json-reader.ts';
import { noteMember, unknownMember } from './json-request.ts';

/** Longest life of a registration: a timer in JavaScript has no longer one. */
const MAX_TTL_MS = 2 ** 31 - 1;

export interface JsonRegistration {
  readonly shmKey: string;
  readonly offset: number;
  readonly byteSize: number;
  /** Null without a limit. */
  readonly ttlMs: number | null;
}

/** The body of a registration: `{"shmKey":"/my-region","offset":0,"byteSize":4096}`. */
export async function readRegistration(text: Buffer): Promise<JsonRegistration> {
  const reader = await JsonReader.open(text, 'The body');
  const members = new Set<string>();
  let shmKey: string | undefined;
  const numbers: { offset?: number; byteSize?: number; ttlMs?: number } = {};
  await reader.object((name) => {
    noteMember(reader, members, name);
    if (name === 'shmKey') shmKey = reader.string();
    else if (name === 'offset' || name === 'byteSize' || name === 'ttlMs') {
      numbers[name] = reader.integer();
    } else throw unknownMember(reader, name, 'shmKey, offset, byteSize, ttlMs');
  });
  await reader.end();
  const { offset = 0, byteSize, ttlMs } = numbers;
  if (shmKey === undefined || byteSize === undefined) {
    throw reader.fault('needs "shmKey" and "byteSize"');
  }
  requireAtLeast(reader, 'offset', offset, 0);
  requireAtLeast(reader, 'byteSize', byteSize, 1);
  if (ttlMs !== undefined && (ttlMs < 1 || ttlMs > MAX_TTL_MS)) {
    throw reader.fault(`has a "ttlMs" that is not from 1 to ${MAX_TTL_MS}`);
  }
  return { shmKey, offset, byteSize, ttlMs: ttlMs ?? null };
}

function requireAtLeast(reader: JsonReader, name: string, value: number, least: number): void {
  if (value < least) throw reader.fault(`has a "${name}" below ${least}`);
}

export type Direction = 'H2G' | 'L2G' | 'G2H' | 'G2L';

export interface JsonTransfer {
  readonly items: readonly BufferItem[];
  readonly direct: Direction;
  readonly put: PutQuery;
}

const DIRECTIONS = { put: ['H2G', 'L2G'], get: ['G2H', 'G2L'] } as const;

/**
 * The body of a transfer: `{"items":[{"key":"a","offset":0,"size":4096}]}`; an item may have `layers` instead
 * of one range, and in a get no size.
 */
export async function readTransfer(
  text: Buffer,
  operation: 'put' | 'get',
  most: number,
  count: CountItem,
): Promise<JsonTransfer> {
  const reader = await JsonReader.open(text, 'The body');
  const members = new Set<string>();
  const known = operation === 'put' ? 'items, replicas, prefer, ifExists, direct' : 'items, direct';
  const found: {
    items?: BufferItem[];
    replicas?: number;
    prefer?: number[];
    ifExists?: string;
    direct?: Direction;
  } = {};
  const isPut = operation === 'put';
  await reader.object((name) => {
    noteMember(reader, members, name);
    if (name === 'items') {
      found.items = [];
      return readItems(reader, { operation, most, count }, found.items);
    }
    if (name === 'direct') found.direct = readDirection(reader, operation);
    else if (isPut && name === 'replicas') found.replicas = reader.integer();
    else if (isPut && name === 'ifExists') found.ifExists = reader.string();
    else if (isPut && name === 'prefer') {
      found.prefer = [];
      return readPrefer(reader, found.prefer);
    } else throw unknownMember(reader, name, known);
  });
  await reader.end();
  const { items, direct = DIRECTIONS[operation][0] } = found;
  if (items === undefined) throw reader.fault('has no member "items"');
  return { items, direct, put: placementOf(found.replicas, found.prefer, found.ifExists) };
}

function readDirection(reader: JsonReader, operation: 'put' | 'get'): Direction {
  const word = reader.string();
  const direction = DIRECTIONS[operation].find((known) => known === word);
  if (direction !== undefined) return direction;
  throw invalidParameter(
    `direct=${printable(word)}: expected ${DIRECTIONS[operation].join(' or ')} for a ${operation}.`,
  );
}

function readPrefer(reader: JsonReader, ids: number[]): void | Promise<void> {
  return reader.array((index) => {
    if (index >= MAX_REPLICAS) {
      throw reader.fault(`has more than ${MAX_REPLICAS} services in "prefer"`);
    }
    ids.push(reader.integer());
  });
}

interface ItemRules {
  readonly operation: 'put' | 'get';
  readonly most: number;
  readonly count: CountItem;
}

function readItems(
  reader: JsonReader,
  rules: ItemRules,
  items: BufferItem[],
): void | Promise<void> {
  const { most, count } = rules;
  let ranges = 0;
  return reader.array((index) => {
    if (index >= most) throw tooManyKeys(most);
    return afterwards(readItem(reader, rules, `items[${index}]`), (item) => {
      ranges += item.ranges.length;
      if (ranges > most) throw tooManyKeys(most);
      count(item.key, item.ranges.length);
      items.push(item);
    });
  });
}

function readItem(
  reader: JsonReader,
  { operation }: ItemRules,
  where: string,
): BufferItem | Promise<BufferItem> {
  const found: { key?: string; offset?: number; size?: number; layers?: BufferRange[] } = {};
  const read = reader.object((name) => {
    if (name !== 'key' && name !== 'offset' && name !== 'size' && name !== 'layers') {
      throw unknownMember(reader, name, 'key, offset, size, layers');
    }
    // No set of names: an item costs little more than its text.
    if (found[name] !== undefined) throw reader.fault(`has the member "${name}" twice in ${where}`);
    if (name === 'key') found.key = reader.string();
    else if (name !== 'layers') found[name] = reader.integer();
    else {
      found.layers = [];
      return readLayers(reader, where, found.layers);
    }
  });
  return afterwards(read, () => {
    const { key, offset, size, layers } = found;
    if (key === undefined) throw reader.fault(`needs "key" in ${where}`);
    requireKey(key, `${where}.key`);
    if (layers !== undefined) {
      if (offset === undefined && size === undefined)
        return { key, ranges: layers, hasLayers: true };
      throw reader.fault(`has "layers", and "offset" or "size", in ${where}`);
    }
    const needsSize = operation === 'put' && size === undefined;
    if (offset === undefined || needsSize) throw needs(reader, operation, where);
    return { key, ranges: [rangeOf(reader, where, offset, size)], hasLayers: false };
  });
}

const needs = (reader: JsonReader, operation: 'put' | 'get', where: string): ProblemError =>
  reader.fault(
    `needs ${operation === 'put' ? '"offset" and "size"' : '"offset"'}, or "layers", in ${where}`,
  );

function readLayers(
  reader: JsonReader,
  where: string,
  layers: BufferRange[],
): void | Promise<void> {
  const read = reader.array((number) => {
    if (number >= MAX_LAYERS) throw tooManyLayers();
    const found: { offset?: number; size?: number } = {};
    const layer = reader.object((name) => {
      if (name !== 'offset' && name !== 'size') throw unknownMember(reader, name, 'offset, size');
      if (found[name] !== undefined) throw reader.fault(`has the member "${name}" twice`);
      found[name] = reader.integer();
    });
    return afterwards(layer, () => {
      const { offset, size } = found;
      if (offset === undefined || size === undefined) {
        throw reader.fault(`needs "offset" and "size" in ${where}.layers[${number}]`);
      }
      layers.push(rangeOf(reader, `${where}.layers[${number}]`, offset, size));
    });
  });
  return afterwards(read, () => {
    if (layers.length === 0) throw reader.fault(`has no layers in ${where}`);
  });
}

function rangeOf(
  reader: JsonReader,
  where: string,
  offset: number,
  size: number | undefined,
): BufferRange {
  if (offset < 0) throw reader.fault(`has an "offset" below 0 in ${where}`);
  if (size !== undefined && size < 1) throw reader.fault(`has a "size" below 1 in ${where}`);
  return { offset, size };
}

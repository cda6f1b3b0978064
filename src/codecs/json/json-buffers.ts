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
  const item = new ItemReader(reader, rules.operation);
  const add = (): void => {
    const read = item.take();
    ranges += read.ranges.length;
    if (ranges > most) throw tooManyKeys(most);
    count(read.key, read.ranges.length);
    items.push(read);
  };
  return reader.array((index) => {
    if (index >= most) throw tooManyKeys(most);
    const wait = item.read(index);
    return wait === undefined ? add() : wait.then(add);
  });
}

/** Reads the items one after another. An item costs little more than its text: no set of names, no function. */
class ItemReader {
  readonly #reader: JsonReader;
  readonly #operation: 'put' | 'get';
  readonly #member = (name: string): void | Promise<void> => this.#readMember(name);
  #index = 0;
  #key: string | undefined;
  #offset: number | undefined;
  #size: number | undefined;
  #layers: BufferRange[] | undefined;

  constructor(reader: JsonReader, operation: 'put' | 'get') {
    this.#reader = reader;
    this.#operation = operation;
  }

  read(index: number): void | Promise<void> {
    this.#index = index;
    this.#key = undefined;
    this.#offset = undefined;
    this.#size = undefined;
    this.#layers = undefined;
    return this.#reader.object(this.#member);
  }

  /** The item that has been read. */
  take(): BufferItem {
    const key = this.#key;
    const offset = this.#offset;
    const size = this.#size;
    const layers = this.#layers;
    if (key === undefined) throw this.#fault('needs "key"');
    requireKey(key, () => `items[${this.#index}].key`);
    if (layers !== undefined) {
      if (offset === undefined && size === undefined) {
        return { key, ranges: layers, hasLayers: true };
      }
      throw this.#fault('has "layers", and "offset" or "size",');
    }
    const isPut = this.#operation === 'put';
    if (offset === undefined || (isPut && size === undefined)) {
      throw this.#fault(`needs ${isPut ? '"offset" and "size"' : '"offset"'}, or "layers",`);
    }
    const range = rangeOf(this.#reader, () => `items[${this.#index}]`, offset, size);
    return { key, ranges: [range], hasLayers: false };
  }

  #readMember(name: string): void | Promise<void> {
    const reader = this.#reader;
    if (name === 'key') {
      if (this.#key !== undefined) throw this.#repeated(name);
      this.#key = reader.string();
    } else if (name === 'offset') {
      if (this.#offset !== undefined) throw this.#repeated(name);
      this.#offset = reader.integer();
    } else if (name === 'size') {
      if (this.#size !== undefined) throw this.#repeated(name);
      this.#size = reader.integer();
    } else if (name === 'layers') {
      if (this.#layers !== undefined) throw this.#repeated(name);
      this.#layers = [];
      return readLayers(reader, `items[${this.#index}]`, this.#layers);
    } else throw unknownMember(reader, name, 'key, offset, size, layers');
  }

  #repeated(name: string): ProblemError {
    return this.#fault(`has the member "${name}" twice`);
  }

  #fault(complaint: string): ProblemError {
    return this.#reader.fault(`${complaint} in items[${this.#index}]`);
  }
}

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
      layers.push(rangeOf(reader, () => `${where}.layers[${number}]`, offset, size));
    });
  });
  return afterwards(read, () => {
    if (layers.length === 0) throw reader.fault(`has no layers in ${where}`);
  });
}

function rangeOf(
  reader: JsonReader,
  where: () => string,
  offset: number,
  size: number | undefined,
): BufferRange {
  if (offset < 0) throw reader.fault(`has an "offset" below 0 in ${where()}`);
  if (size !== undefined && size < 1) throw reader.fault(`has a "size" below 1 in ${where()}`);
  return { offset, size };
}

import { MAX_LAYERS } from '../../config/layouts.ts';
import { type PutQuery, placementOf } from '../../http/request/placement.ts';
import { MAX_REPLICAS } from '../../native/abi/limits.ts';
import type { ValueSink } from '../../store/batch/batch-writer.ts';
import { emptyLayer, tooManyLayers } from '../../store/layers/layers.ts';
import type { CountItem } from '../item-cost.ts';
import { requireKey, tooManyKeys } from '../keys.ts';
import { afterwards, TimeSlices } from '../time-slices.ts';
import { decodedBytes, decodePieces, plainBase64 } from './base64.ts';
import { JsonReader } from './json-reader.ts';
import { noteMember, unknownMember } from './json-request.ts';

/** One value of a batch put: its pieces in base64 without escapes. */
export interface JsonItem {
  readonly key: string;
  /** One, or one for each layer. */
  readonly base64: readonly Buffer[];
}

interface RawItem {
  readonly key: string;
  /** With escapes until the whole body is read. */
  base64: readonly Buffer[];
}

export interface JsonPut {
  readonly put: PutQuery;
  readonly items: readonly JsonItem[];
}

const MEMBERS = 'items, replicas, prefer, ifExists';

/**
 * The body of a batch put. It is read completely before anything is stored, because options may follow
 * the items. The text is changed: escapes in values are removed.
 */
export async function readPut(text: Buffer, most: number, count?: CountItem): Promise<JsonPut> {
  const reader = await JsonReader.open(text, 'The body');
  const members = new Set<string>();
  const found: { items?: RawItem[]; replicas?: number; prefer?: number[]; ifExists?: string } = {};
  await reader.object((name) => {
    noteMember(reader, members, name);
    if (name === 'items') {
      found.items = [];
      return readItems(reader, most, count, found.items);
    }
    if (name === 'replicas') found.replicas = reader.integer();
    else if (name === 'prefer') {
      found.prefer = [];
      return readPrefer(reader, found.prefer);
    } else if (name === 'ifExists') found.ifExists = reader.string();
    else throw unknownMember(reader, name, MEMBERS);
  });
  await reader.end();
  const { items, replicas, prefer, ifExists } = found;
  if (items === undefined) throw reader.fault('has no member "items"');
  const put = placementOf(replicas, prefer, ifExists);
  const slices = new TimeSlices();
  for (const [index, item] of items.entries()) {
    item.base64 = await plainBase64(item.base64, `items[${index}]`, slices);
  }
  return { put, items };
}

/** Passes the decoded values of a put to a sink in order. Rejects with the error of the sink. */
export async function decodeItems(items: readonly JsonItem[], sink: ValueSink): Promise<void> {
  const slices = new TimeSlices();
  for (const { key, base64 } of items) {
    const bytes = base64.reduce((sum, piece) => sum + decodedBytes(piece), 0);
    await sink.begin(key, bytes);
    for (const text of base64) {
      for (const piece of decodePieces(text)) {
        await sink.take(piece);
        await slices.pause();
      }
    }
    await sink.finish();
    // An empty value has no piece.
    await slices.pause();
  }
}

function readPrefer(reader: JsonReader, ids: number[]): void | Promise<void> {
  return reader.array((index) => {
    if (index >= MAX_REPLICAS) {
      throw reader.fault(`has more than ${MAX_REPLICAS} services in "prefer"`);
    }
    ids.push(reader.integer());
  });
}

function readItems(
  reader: JsonReader,
  most: number,
  count: CountItem | undefined,
  items: RawItem[],
): void | Promise<void> {
  let pieces = 0;
  return reader.array((index) => {
    if (index >= most) throw tooManyKeys(most);
    return afterwards(readItem(reader, index), (item) => {
      pieces += item.base64.length;
      // Each of them costs as much as a value.
      if (pieces > most) throw tooManyKeys(most);
      count?.(item.key, item.base64.length);
      items.push(item);
    });
  });
}

function readItem(reader: JsonReader, index: number): RawItem | Promise<RawItem> {
  const where = `items[${index}]`;
  const found: { key?: string; base64?: readonly Buffer[] } = {};
  const read = reader.object((name) => {
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
    if (name === 'key') {
      found.key = reader.string();
      return;
    }
    const value =
      name === 'value'
        ? afterwards(reader.rawString(), (raw) => [raw])
        : readLayerValues(reader, where);
    return afterwards(value, (base64) => {
      found.base64 = base64;
    });
  });
  return afterwards(read, () => {
    const { key, base64 } = found;
    if (key === undefined || base64 === undefined) {
      throw reader.fault(`needs "key", and "value" or "layers", in ${where}`);
    }
    requireKey(key, () => `${where}.key`);
    return { key, base64 };
  });
}

/** The body of a PUT of layers, `{"layers":["<base64>"]}`: the base64 of each. The text is changed. */
export async function readLayersPut(text: Buffer): Promise<readonly Buffer[]> {
  const reader = await JsonReader.open(text, 'The body');
  const found: { layers?: readonly Buffer[] } = {};
  await reader.object((name) => {
    if (name !== 'layers') throw unknownMember(reader, name, 'layers');
    if (found.layers !== undefined) throw reader.fault('has the member "layers" twice');
    return afterwards(readLayerValues(reader, 'the body'), (layers) => {
      found.layers = layers;
    });
  });
  await reader.end();
  if (found.layers === undefined) throw reader.fault('has no member "layers"');
  return plainBase64(found.layers, 'the body', new TimeSlices());
}

function readLayerValues(
  reader: JsonReader,
  where: string,
): readonly Buffer[] | Promise<readonly Buffer[]> {
  const layers: Buffer[] = [];
  const read = reader.array((number) => {
    if (number >= MAX_LAYERS) throw tooManyLayers();
    return afterwards(reader.rawString(), (base64) => {
      if (base64.length === 0) throw emptyLayer(number);
      layers.push(base64);
    });
  });
  return afterwards(read, () => {
    if (layers.length === 0) throw reader.fault(`has no layers in ${where}`);
    return layers;
  });
}

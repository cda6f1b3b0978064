import {
  checkedEntries,
  checkKey,
  checkKeys,
  checkLayers,
  checkOptions,
  checkValue,
} from './arguments.ts';
import type { Batch } from './batch.ts';
import type { Layers } from './layers.ts';
import type { Objects } from './objects.ts';

const CALL = ['signal'];
const PLACEMENT = ['replicas', 'prefer', 'ifExists'];
const CUT = ['sizes', 'layout', 'select'];
const GET = ['range', ...CALL];
const PUT = [...PLACEMENT, 'contentDigest', ...CALL];
const PUT_LAYERS = [...PLACEMENT, 'layout', ...CALL];
const GET_LAYERS = [...CUT, ...CALL];

/** The same operations; each rejects with TypeError for an argument that it does not accept. */
export function checkedObjects(objects: Objects): Objects {
  const check = (key: string, options: object | undefined, known: readonly string[]): void => {
    checkKey(key);
    checkOptions(options, known);
  };
  return {
    async put(key, value, options) {
      check(key, options, PUT);
      checkValue(value, 'value', { mayStream: true });
      return objects.put(key, value, options);
    },
    async get(key, options) {
      check(key, options, GET);
      return objects.get(key, options);
    },
    async getStream(key, options) {
      check(key, options, GET);
      return objects.getStream(key, options);
    },
    async info(key, options) {
      check(key, options, CALL);
      return objects.info(key, options);
    },
    async exists(key, options) {
      check(key, options, CALL);
      return objects.exists(key, options);
    },
    async remove(key, options) {
      check(key, options, CALL);
      return objects.remove(key, options);
    },
  };
}

export function checkedLayers(layers: Layers): Layers {
  return {
    async putLayers(key, parts, options) {
      checkKey(key);
      checkLayers(parts);
      checkOptions(options, PUT_LAYERS);
      return layers.putLayers(key, parts, options);
    },
    async getLayers(key, options) {
      checkKey(key);
      checkOptions(options, GET_LAYERS);
      return layers.getLayers(key, options);
    },
  };
}

export function checkedBatch(batch: Batch): Batch {
  const check = (keys: readonly string[], options: object | undefined, known = CALL): void => {
    checkKeys(keys);
    checkOptions(options, known);
  };
  return {
    async put(values, options) {
      checkOptions(options, [...PLACEMENT, ...CALL]);
      return batch.put(checkedEntries(values), options);
    },
    async get(keys, options) {
      check(keys, options);
      return batch.get(keys, options);
    },
    getEach(keys, options) {
      check(keys, options);
      return batch.getEach(keys, options);
    },
    async getLayers(keys, options) {
      check(keys, options, GET_LAYERS);
      return batch.getLayers(keys, options);
    },
    async exists(keys, options) {
      check(keys, options);
      return batch.exists(keys, options);
    },
    async info(keys, options) {
      check(keys, options);
      return batch.info(keys, options);
    },
    async remove(keys, options) {
      check(keys, options);
      return batch.remove(keys, options);
    },
  };
}

import {
  checkedEntries,
  checkKey,
  checkKeys,
  checkLayers,
  checkOptions,
  checkValue,
} from './arguments.ts';
import type { Many } from './batch/many.ts';
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
    async has(key, options) {
      check(key, options, CALL);
      return objects.has(key, options);
    },
    async delete(key, options) {
      check(key, options, CALL);
      return objects.delete(key, options);
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
      // It needs the sizes or the name of a layout.
      const given: unknown = options;
      checkOptions(given ?? null, GET_LAYERS);
      return layers.getLayers(key, options);
    },
  };
}

export function checkedMany(many: Many): Many {
  const check = (keys: readonly string[], options: object | undefined, known = CALL): void => {
    checkKeys(keys);
    checkOptions(options, known);
  };
  return {
    async getMany(keys, options) {
      check(keys, options);
      return many.getMany(keys, options);
    },
    getEach(keys, options) {
      check(keys, options);
      return many.getEach(keys, options);
    },
    async putMany(entries, options) {
      checkOptions(options, [...PLACEMENT, ...CALL]);
      return many.putMany(checkedEntries(entries), options);
    },
    async hasMany(keys, options) {
      check(keys, options);
      return many.hasMany(keys, options);
    },
    async countLeading(keys, options) {
      check(keys, options);
      return many.countLeading(keys, options);
    },
    async deleteMany(keys, options) {
      check(keys, options);
      return many.deleteMany(keys, options);
    },
    async infoMany(keys, options) {
      check(keys, options);
      return many.infoMany(keys, options);
    },
    async getLayersMany(keys, options) {
      check(keys, options, GET_LAYERS);
      return many.getLayersMany(keys, options);
    },
  };
}

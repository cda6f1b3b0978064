import type { Rule } from '../helpers/engine/injecting.ts';

/**
 * Delays, codes and reads that copy nothing, from time to time and for each function. The first
 * number of a key of the game selects the codes of single items.
 */
export const modelFaults: readonly Rule[] = [
  { on: '*', delayOutsideUs: 300, every: 2 },
  { on: '*', delayInsideUs: 5, perKeyUs: 1 },
  { on: ['get', 'batch_get'], noCopy: true, every: 50 },
  { on: ['get', 'put', 'query', 'exist', 'remove'], code: -3009, every: 97 },
  { on: ['batch_get', 'batch_put', 'batch_query', 'batch_remove'], code: -3014, every: 61 },
  { on: 'batch_exist', code: -3010, every: 11 },
  { on: 'batch_get', code: -3011, every: 29 },
  { on: 'batch_get', itemCode: -1, prefix: '1/', every: 3 },
  { on: 'batch_get', itemCode: -3011, prefix: '2/', every: 17 },
  { on: 'batch_put', itemCode: -1, prefix: '3/', every: 5 },
  { on: 'batch_put', itemCode: -3016, prefix: '4/', every: 17 },
  { on: 'batch_exist', itemCode: -3009, prefix: '5/', every: 7 },
  { on: 'batch_remove', itemCode: -3104, prefix: '6/', every: 7 },
];

import type { Rule } from '../helpers/injecting.ts';

/** Now and then, and of each call: a delay, a code, and a read that moves nothing. */
export const modelFaults: readonly Rule[] = [
  { on: '*', delayOutsideUs: 300, every: 2 },
  { on: '*', delayInsideUs: 5, perKeyUs: 1 },
  { on: ['get', 'batch_get'], noCopy: true, every: 50 },
  { on: ['get', 'put', 'query', 'exist', 'remove'], code: -3009, every: 97 },
  { on: ['batch_get', 'batch_put', 'batch_query', 'batch_remove'], code: -3014, every: 61 },
];

// The rows of a comparison with another commit: each is one load on both gateways.
import { BLOCK, batchLoad, keys, perSecond, throughput } from './measure.mjs';

/** The least median ratio of tree to commit. */
const SYNCHRONOUS = 0.97;
const ASYNCHRONOUS = 1;

const names = (count, prefix) => Array.from({ length: count }, (_, at) => `${prefix}-${at}`);
const small = keys(64, 'small');
const blocks = keys(64, 'block');
const batchOfSmall = names(1000, 'batch-1k');
const batchOfMany = names(10_000, 'kv/model/block');
const batchOfBlocks = names(16, 'batch-block');
const pathsOf = (keysOfBatch) => keysOfBatch.map((key) => `/v1/objects/${key}`);
const perKey = (count) => (rate) => `${Math.round(rate * count).toLocaleString('en')} keys/s`;

const getSmall = {
  ...{ stored: small, storedBytes: 1024, least: SYNCHRONOUS, show: perSecond },
  load: { paths: small, connections: 32 },
};
const getHot = {
  ...{ stored: keys(1, 'hot'), storedBytes: BLOCK, least: SYNCHRONOUS, show: throughput },
  load: { paths: keys(1, 'hot'), connections: 64 },
};
const slowGet = {
  ...{ stored: keys(512, 'small'), storedBytes: 1024, least: ASYNCHRONOUS, show: perSecond },
  slow: true,
};

/**
 * `stored` are the paths of the objects that exist before the load, `slow` selects the slow engine,
 * `flags` are those of the gateway, `show` formats a rate.
 */
export const rows = {
  'get-1k': { title: '1 KiB GET, 32 connections', ...getSmall },
  'get-1k-express': {
    title: '1 KiB GET, 32 connections, Express',
    ...getSmall,
    flags: ['--fast-lane', 'off'],
  },
  'put-1k': {
    title: '1 KiB PUT, 32 connections',
    ...{ stored: [], least: SYNCHRONOUS, show: perSecond },
    load: { method: 'PUT', fresh: '/v1/objects/fresh', bytes: 1024, connections: 32 },
  },
  'get-block': {
    title: '8.57 MiB GET, 64 objects, 4 connections',
    ...{ stored: blocks, storedBytes: BLOCK, least: SYNCHRONOUS, show: throughput },
    load: { paths: blocks, connections: 4 },
  },
  'put-block': {
    title: '8.57 MiB PUT, warm pool, 4 connections',
    ...{ stored: blocks, storedBytes: BLOCK, least: SYNCHRONOUS, show: throughput },
    load: {
      ...{ method: 'PUT', paths: keys(64, 'block', '?ifExists=replace') },
      ...{ bytes: BLOCK, connections: 4 },
    },
  },
  layers: {
    title: '8.57 MiB GET in 122 layers, 4 connections',
    ...{ stored: blocks, storedBytes: BLOCK, least: SYNCHRONOUS, show: throughput },
    load: {
      paths: blocks.map((path) => `${path.replace('objects', 'layers')}?sizes=131072x61,16384x61`),
      connections: 4,
    },
  },
  'hot-key': { title: '8.57 MiB GET, one key, 64 connections', ...getHot },
  'hot-key-stale': {
    title: '8.57 MiB GET, one key, --stale-read-ms 100',
    ...getHot,
    flags: ['--stale-read-ms', '100'],
  },
  'slow-get-64': {
    title: '1 KiB GET, slow engine, 64 connections',
    ...slowGet,
    load: { paths: slowGet.stored, connections: 64 },
  },
  'slow-get-1': {
    title: '1 KiB GET, slow engine, 1 connection',
    ...slowGet,
    load: { paths: slowGet.stored, connections: 1 },
  },
  'batch-get-1k': {
    title: 'batch get of 1,000 x 1 KiB, safetensors',
    ...{ stored: pathsOf(batchOfSmall), storedBytes: 1024, least: ASYNCHRONOUS },
    load: { ...batchLoad('get', batchOfSmall), connections: 4 },
    show: perKey(batchOfSmall.length),
  },
  'batch-exists': {
    title: 'batch exists of 10,000 keys',
    ...{ stored: pathsOf(batchOfMany.slice(0, 100)), storedBytes: 64, least: ASYNCHRONOUS },
    load: { ...batchLoad('exists', batchOfMany), connections: 4 },
    show: perKey(batchOfMany.length),
  },
  'leading-keys': {
    title: 'leading keys of 1,000, slow engine, the first missing',
    ...{ stored: [], storedBytes: 0, least: ASYNCHRONOUS, show: perSecond, slow: true },
    load: { ...batchLoad('exists', batchOfMany.slice(0, 1000), 'missing'), connections: 4 },
  },
  'batch-get-block': {
    title: 'batch get of 16 x 8.57 MiB, safetensors',
    ...{ stored: pathsOf(batchOfBlocks), storedBytes: BLOCK, least: ASYNCHRONOUS },
    load: { ...batchLoad('get', batchOfBlocks), connections: 2 },
    show: (rate) => throughput(rate * batchOfBlocks.length),
  },
};

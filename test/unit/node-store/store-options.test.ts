import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { resolveStoreOptions } from '../../../src/node-store/store-options.ts';

const variables = ['GATEWAY_ENGINE', 'GATEWAY_ENGINE_PRELOAD', 'UV_THREADPOOL_SIZE'] as const;
const saved = variables.map((name) => [name, process.env[name]] as const);
afterEach(() => {
  for (const [name, value] of saved) {
    if (value === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = value;
  }
});

describe('resolveStoreOptions', () => {
  it('reads the engine and its libpython from the environment', () => {
    process.env['GATEWAY_ENGINE'] = '/opt/libmf_memcache.so';
    process.env['GATEWAY_ENGINE_PRELOAD'] = '/opt/libpython3.11.so.1.0';
    const { engine, preload } = resolveStoreOptions({});
    assert.deepEqual([engine, preload], ['/opt/libmf_memcache.so', '/opt/libpython3.11.so.1.0']);
    assert.equal(resolveStoreOptions({ engine: 'embedded' }).engine, 'embedded');
  });

  it('treats an empty variable as absent', () => {
    process.env['GATEWAY_ENGINE'] = '';
    process.env['GATEWAY_ENGINE_PRELOAD'] = '';
    const { engine, preload } = resolveStoreOptions({});
    assert.deepEqual([engine, preload], ['embedded', undefined]);
  });

  it('has as many call slots as there are threads for, from 2 to 16', () => {
    for (const [threads, slots] of [
      ['1', 2],
      ['', 2],
      ['14', 2],
      ['15', 2],
      ['16', 3],
      ['33', 11],
      ['34', 16],
      ['128', 16],
    ] as const) {
      process.env['UV_THREADPOOL_SIZE'] = threads;
      assert.equal(resolveStoreOptions({}).callSlots, slots, threads);
    }
  });
});

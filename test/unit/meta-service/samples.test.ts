import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { samplesIn } from '../../../src/meta-service/samples.ts';
import { metricsPage } from '../../fixtures/meta-service.ts';

describe('samplesIn', () => {
  it('finds the samples of a page, by name and label', () => {
    const samples = samplesIn(metricsPage);
    assert.equal(samples.get('memcache_stored_keys')?.get(''), 42);
    assert.equal(samples.get('memcache_allocated_bytes')?.get('hbm'), 4096);
    assert.equal(samples.get('memcache_segment_capacity_bytes')?.size, 3);
  });

  it('reads large numbers in any notation, and ignores what is no sample', () => {
    const text = [
      'memcache_a{medium="hbm"} 1.099511627776e+12',
      ...['memcache_b -1', 'memcache_c NaN', 'memcache_d{a="x",b="y"} 1', 'memcache_e', 'other 1'],
      ...['# memcache_f 1', 'memcache_g 1e400', 'memcache_h 1.5', '', '{"success":false}'],
    ].join('\n');
    const samples = samplesIn(text);
    assert.equal(samples.get('memcache_a')?.get('hbm'), 2 ** 40);
    assert.deepEqual([...samples.keys()], ['memcache_a']);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { interpretConfig } from '../../../src/config/config.ts';
import { parseCommandLine } from '../../../src/config/flags.ts';
import { newPoolName, workerEnvironment } from '../../../src/messages/environment.ts';

const interpreted = interpretConfig(
  parseCommandLine(['--call-slots', '7', '--pool-bytes', '2MiB']),
  {},
);
assert('config' in interpreted);
const { config } = interpreted;

describe("a worker's environment", () => {
  it('has the threads that it needs, and the pool', () => {
    const env = workerEnvironment(
      { HOME: '/root', UV_THREADPOOL_SIZE: '4' },
      { config, poolName: 'mcg-x', reserve: undefined, threads: 24 },
    );
    assert.deepEqual(env, {
      HOME: '/root',
      UV_THREADPOOL_SIZE: '24',
      MMC_EMBEDDED_POOL: 'mcg-x',
      MMC_EMBEDDED_BYTES: '2097152',
    });
  });

  it('preloads the reserving library for the distributed engine, before other preloaded libraries', () => {
    const reserve = { library: '/lib/reserve.so', bytes: 2 ** 44 };
    const alone = workerEnvironment({}, { config, poolName: 'p', reserve, threads: 24 });
    assert.equal(alone['LD_PRELOAD'], '/lib/reserve.so');
    assert.equal(alone['MCG_RESERVE_BYTES'], '17592186044416');
    const base = { LD_PRELOAD: '/lib/other.so' };
    const beside = workerEnvironment(base, { config, poolName: 'p', reserve, threads: 24 });
    assert.equal(beside['LD_PRELOAD'], '/lib/reserve.so:/lib/other.so');
    assert.equal(
      workerEnvironment(base, { config, poolName: 'p', reserve: undefined, threads: 24 })[
        'LD_PRELOAD'
      ],
      '/lib/other.so',
    );
  });

  it('names a unique pool, so that its owner is known', () => {
    const names = new Set(Array.from({ length: 100 }, newPoolName));
    assert.equal(names.size, 100);
    for (const name of names)
      assert.match(name, new RegExp(`^mcg-${process.getuid?.()}-[0-9a-z-]+$`));
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { interpretConfig } from '../../../src/config/config.ts';
import { parseCommandLine } from '../../../src/config/flags.ts';
import { workerHeapOptions } from '../../../src/config/heap.ts';
import { mebibyte } from '../../../src/config/kinds.ts';
import { table } from '../../../src/config/table.ts';

const interpret = (...flags: string[]) => interpretConfig(parseCommandLine(flags), {});
function configOf(...flags: string[]) {
  const interpreted = interpret(...flags);
  assert('config' in interpreted);
  return interpreted.config;
}

describe('--max-heap-bytes', () => {
  it('follows the text budget, and the size cache if it is used', () => {
    assert.equal(configOf().maxHeapBytes, table.maxHeapBytes.fallback);
    assert.equal(configOf('--batch-json-bytes', '4MiB').maxHeapBytes, 256 * mebibyte);
    const engine = ['--engine', '/lib/engine.so', '--batch-json-bytes', '4MiB'];
    assert.equal(configOf(...engine, '--size-cache-keys', '0').maxHeapBytes, 256 * mebibyte);
    assert.equal(configOf(...engine).maxHeapBytes, 296 * mebibyte);
  });

  it('is refused, with the numbers, if it is too small for the text budget', () => {
    const budget = ['--batch-json-bytes', '4MiB'];
    assert.equal(configOf(...budget, '--max-heap-bytes', '104MiB').maxHeapBytes, 104 * mebibyte);
    const refused = interpret(...budget, '--max-heap-bytes', '103MiB');
    assert('faults' in refused);
    assert.match(
      refused.faults.join(),
      /heap of 103MiB is too small for the 32MiB that batches hold .*give at least 104MiB/,
    );
    assert('faults' in interpret('--max-heap-bytes', 'much'));
    assert('faults' in interpret('--max-heap-bytes', '1MiB'));
  });

  it('limits the heap of workers, unless the operator has given Node another limit', () => {
    const config = configOf('--max-heap-bytes', '400MiB');
    const options = (isGiven: boolean, args: string[], nodeOptions?: string) =>
      workerHeapOptions(config, isGiven, args, { NODE_OPTIONS: nodeOptions });
    const own = ['--max-old-space-size=400'];
    assert.deepEqual(options(false, []), { execArgv: own, warning: undefined });
    assert.deepEqual(options(false, ['--import', 'x'], '--trace-gc').execArgv, own);
    assert.deepEqual(options(true, [], '--max-old-space-size=900').execArgv, own);
    for (const theirs of ['--max-old-space-size=900', '--trace-gc --max_old_space_size=900']) {
      assert.deepEqual(options(false, [], theirs), { execArgv: [], warning: undefined });
      assert.deepEqual(options(false, theirs.split(' ')).execArgv, []);
    }
    const small = options(false, [], '--max-old-space-size=100');
    assert.deepEqual(small.execArgv, []);
    assert.match(small.warning ?? '', /less than the 384 MiB that --batch-json-bytes needs/);
  });
});

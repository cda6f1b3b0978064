import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { helpText, readArguments } from '../../bench/arguments.mjs';

const names = { targets: ['get', 'memory'], rows: ['get', 'slow-get'] };
const read = (...args: string[]) => readArguments(args, names);

describe('the arguments of the benchmark', () => {
  it('select all targets by default', () => {
    const { against, names: chosen, rounds, seconds } = read();
    assert.deepEqual({ against, rounds, seconds }, { against: undefined, rounds: 5, seconds: 3 });
    assert.deepEqual(chosen, names.targets);
  });

  it('with --against select nine pairs of all rows by default', () => {
    const { against, names: chosen, pairs, rounds } = read('--against', 'main');
    assert.deepEqual([against, pairs, rounds], ['main', 9, undefined]);
    assert.deepEqual(chosen, names.rows);
  });

  it('choose rows, pairs and seconds', () => {
    const args = ['slow-get', '--against', 'v1', '--pairs', '15', '--seconds', '2'];
    const { names: chosen, pairs, seconds } = read(...args);
    assert.deepEqual([chosen, pairs, seconds], [['slow-get'], 15, 2]);
  });

  it('are refused with a reason', () => {
    const faults: [args: string[], reason: RegExp][] = [
      [['--against', ''], /--against needs a commit/],
      [['--against'], /--against/],
      [['--pairs', '9'], /--pairs needs --against/],
      [['--against', 'v1', '--rounds', '3'], /use --pairs/],
      [['--against', 'v1', '--pairs', '0'], /--pairs: "0" is not a whole number/],
      [['--seconds', '1.5'], /--seconds: "1.5" is not a whole number/],
      [['slow-get'], /no benchmark is named slow-get/],
      [['memory', '--against', 'v1'], /no benchmark to compare is named memory/],
      [['--fast'], /--fast/],
    ];
    for (const [args, reason] of faults) assert.throws(() => read(...args), reason);
  });

  it('are all explained by --help, with the names', () => {
    assert.equal(read('--help').help, true);
    const text = helpText(names);
    for (const word of ['--against', '--pairs', '--rounds', '--seconds', 'memory', 'slow-get']) {
      assert.ok(text.includes(word), word);
    }
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Turns } from '../../../../src/store/pool/turns.ts';

const open = new AbortController().signal;

/** A task that runs until it is ended. */
function task(running: string[], name: string) {
  let end = () => {};
  const done = new Promise<void>((resolve) => {
    end = resolve;
  });
  const run = () => {
    running.push(name);
    return done;
  };
  return { run, end };
}

describe('Turns', () => {
  it('runs so many tasks at a time, in order', async () => {
    const turns = new Turns(2);
    const running: string[] = [];
    const tasks = ['a', 'b', 'c', 'd'].map((name) => task(running, name));
    const all = tasks.map(({ run }) => turns.take(open, run));
    await Promise.resolve();
    assert.deepEqual(running, ['a', 'b']);
    tasks[1]?.end();
    await all[1];
    assert.deepEqual(running, ['a', 'b', 'c']);
    for (const { end } of tasks) end();
    await Promise.all(all);
    assert.deepEqual(running, ['a', 'b', 'c', 'd']);
  });

  it('skips a task that was aborted while it waited, and goes on after a failure', async () => {
    const turns = new Turns(1);
    const running: string[] = [];
    const first = task(running, 'first');
    const held = turns.take(open, first.run);
    const left = new AbortController();
    const skipped = turns.take(left.signal, task(running, 'skipped').run);
    const failing = turns.take(open, () => Promise.reject(new Error('failed')));
    left.abort(new Error('left'));
    await assert.rejects(skipped, /left/);
    await assert.rejects(turns.take(left.signal, task(running, 'late').run), /left/);
    first.end();
    await held;
    await assert.rejects(failing, /failed/);
    await turns.take(open, () => Promise.resolve(running.push('last')));
    assert.deepEqual(running, ['first', 'last']);
  });
});

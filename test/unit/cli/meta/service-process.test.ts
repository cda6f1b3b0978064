import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { passSignalsOn } from '../../../../src/cli/meta/service-process.ts';

type Reported = [signal: NodeJS.Signals, atMs: number];

/** The signals that the service gets when the command gets these, at these times. */
function passedOn(...reported: Reported[]): NodeJS.Signals[] {
  const passed: NodeJS.Signals[] = [];
  let time = 0;
  let stopping = 0;
  const service = { kill: (signal: NodeJS.Signals) => void passed.push(signal) };
  const signals = passSignalsOn(
    () => {
      stopping += 1;
    },
    () => time,
  );
  signals.to(service);
  for (const [signal, atMs] of reported) {
    time = atMs;
    process.emit(signal, signal);
  }
  signals.forget();
  assert.equal(stopping, 1);
  return passed;
}

describe('signals to the command', () => {
  it('are forwarded; SIGHUP becomes SIGTERM', () => {
    assert.deepEqual(passedOn(['SIGTERM', 0]), ['SIGTERM']);
    assert.deepEqual(passedOn(['SIGINT', 0]), ['SIGINT']);
    assert.deepEqual(passedOn(['SIGQUIT', 0]), ['SIGQUIT']);
    assert.deepEqual(passedOn(['SIGHUP', 0]), ['SIGTERM']);
  });

  it('count once if they arrive together, and kill if they arrive later or differ', () => {
    assert.deepEqual(passedOn(['SIGINT', 0], ['SIGINT', 100]), ['SIGINT']);
    assert.deepEqual(passedOn(['SIGINT', 0], ['SIGINT', 101]), ['SIGINT', 'SIGKILL']);
    assert.deepEqual(passedOn(['SIGINT', 0], ['SIGTERM', 1]), ['SIGINT', 'SIGKILL']);
  });

  it('are not handled after the service has ended', () => {
    const before = process.listenerCount('SIGTERM');
    passSignalsOn(() => {}).forget();
    assert.equal(process.listenerCount('SIGTERM'), before);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { passSignalsOn } from '../../../src/meta/service-process.ts';

type Told = [signal: NodeJS.Signals, atMs: number];

/** What the service is told when the command is told this, at these times. */
function passedOn(...told: Told[]): NodeJS.Signals[] {
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
  for (const [signal, atMs] of told) {
    time = atMs;
    process.emit(signal, signal);
  }
  signals.forget();
  assert.equal(stopping, 1);
  return passed;
}

describe('signals to the command', () => {
  it('are passed on as they are; a terminal that hangs up is a stop', () => {
    assert.deepEqual(passedOn(['SIGTERM', 0]), ['SIGTERM']);
    assert.deepEqual(passedOn(['SIGINT', 0]), ['SIGINT']);
    assert.deepEqual(passedOn(['SIGQUIT', 0]), ['SIGQUIT']);
    assert.deepEqual(passedOn(['SIGHUP', 0]), ['SIGTERM']);
  });

  it('that come twice at a time are one wish, and kill later, or as another one', () => {
    assert.deepEqual(passedOn(['SIGINT', 0], ['SIGINT', 100]), ['SIGINT']);
    assert.deepEqual(passedOn(['SIGINT', 0], ['SIGINT', 101]), ['SIGINT', 'SIGKILL']);
    assert.deepEqual(passedOn(['SIGINT', 0], ['SIGTERM', 1]), ['SIGINT', 'SIGKILL']);
  });

  it('are handled no more when the service has ended', () => {
    const before = process.listenerCount('SIGTERM');
    passSignalsOn(() => {}).forget();
    assert.equal(process.listenerCount('SIGTERM'), before);
  });
});

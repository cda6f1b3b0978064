import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { SupervisorChannel } from '../../../src/worker/supervisor-channel.ts';

describe('the channel to the supervisor', () => {
  it('fails a request for metrics, a report or the history without a response within 5 s', async (t) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    const channel = new SupervisorChannel();
    const asked = [channel.metricsText(), channel.poolReport(), channel.poolHistory()];
    mock.timers.tick(5000);
    for (const one of asked) await assert.rejects(one, /did not respond within 5000 ms/);
  });

  it('fails them at once when the supervisor has ended', async (t) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    const channel = new SupervisorChannel();
    const asked = [channel.metricsText(), channel.poolReport(), channel.poolHistory()];
    channel.end();
    for (const one of [
      ...asked,
      channel.metricsText(),
      channel.poolReport(),
      channel.poolHistory(),
    ]) {
      await assert.rejects(one, /has ended/);
    }
  });
});

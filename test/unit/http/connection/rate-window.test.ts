import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RateWindow, WINDOW_MS } from '../../../../src/http/connection/rate-window.ts';

describe('RateWindow', () => {
  it('returns nothing before the window is full', () => {
    const window = new RateWindow();
    assert.equal(window.rate(WINDOW_MS - 1, 5), undefined);
    assert.equal(window.rate(WINDOW_MS, 20), 2);
  });

  it('ignores bytes that are older than the window', () => {
    const window = new RateWindow();
    for (let ageMs = 1000; ageMs < WINDOW_MS; ageMs += 1000) window.rate(ageMs, 1_000_000);
    assert.equal(window.rate(WINDOW_MS, 1_000_000), 100_000);
    assert.equal(window.rate(WINDOW_MS + 1000, 1_000_050), 5);
  });

  it('covers at most one second more than the window, however often it is read', () => {
    const window = new RateWindow();
    for (let ageMs = 0; ageMs <= 60_000; ageMs += 7) {
      const rate = window.rate(ageMs, Math.min(ageMs, 30_000));
      if (ageMs >= 41_007) assert.equal(rate, 0, `at ${ageMs}`);
      else if (ageMs >= WINDOW_MS && ageMs < 40_000) assert.ok(Number(rate) > 0, `at ${ageMs}`);
    }
  });

  it('uses the time between two calls if it is longer than the window', () => {
    const window = new RateWindow();
    assert.equal(window.rate(50_000, 50), 1);
    assert.equal(window.rate(70_000, 90), 2);
  });
});

import type { HistoryPoint, PoolHistory } from '../../../src/messages/history.ts';
import type { Rights } from '../../../src/status-page/rights.ts';

export const allRights: Rights = { pool: true, devices: true, traffic: true };

const SAMPLE_MS = 10_000;

/** 15 minutes of traffic that rises and falls, with a gap, as the supervisor sends it. */
export function busyHistory(points = 90): PoolHistory {
  const all = Array.from({ length: points }, (_, at): HistoryPoint => {
    const wave = 1 + Math.sin(at / 7);
    const isIdle = at > 40 && at < 50;
    return {
      agoMs: (points - 1 - at) * SAMPLE_MS + 3000,
      requestsPerSecond: isIdle ? 0 : 12_000 * wave,
      receivedPerSecond: isIdle ? 0 : 40e6 * wave,
      sentPerSecond: isIdle ? 0 : 300e6 * wave,
      meanMs: isIdle ? null : 0.4 + wave / 3,
      mostMs: isIdle ? null : at % 11 === 0 ? 25 : 5,
      hitRatio: isIdle ? null : 0.8 + wave / 12,
      usedRatio: Math.min(0.9, at / 95),
    };
  });
  const media = [
    { medium: 'DRAM', totalBytes: 64 * 2 ** 30, usedBytes: 41.5 * 2 ** 30 },
    { medium: 'HBM', totalBytes: 8 * 2 ** 30, usedBytes: 7 * 2 ** 30 },
  ];
  return { points: all, media, objects: 123_456 };
}

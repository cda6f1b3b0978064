import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { interpretConfig } from '../../../src/config.ts';
import { parseCommandLine } from '../../../src/config-flags.ts';
import { parseFromWorker, parseToWorker } from '../../../src/pool/protocol.ts';

const interpreted = interpretConfig(parseCommandLine([]), {});
assert('config' in interpreted);
const { config } = interpreted;
const ready = {
  type: 'ready',
  engine: 'embedded',
  embedded: true,
  device: 0,
  serviceId: 0,
  arenaBytes: 1,
  bareHandles: true,
};

describe('messages to a worker', () => {
  it('pass as they come out of the channel', () => {
    const start: unknown = JSON.parse(
      JSON.stringify({ type: 'start', config, device: 0, version: '1' }),
    );
    assert.equal(parseToWorker(start), start);
    for (const message of [
      { type: 'connection', id: 1 },
      { type: 'collect', id: 0 },
      { type: 'metrics', id: 2, contentType: 'text/plain', body: '' },
      { type: 'unready' },
      { type: 'reconfigure', layout: [{ name: 'a', sizes: [1, 2] }], logLevel: 'debug' },
      { type: 'drain', deadlineMs: 0 },
      { type: 'surveyed', id: 1, report: { ready: true, detail: '', clients: [] } },
    ]) {
      assert.equal(parseToWorker(message), message);
    }
  });

  it('are refused when a member is missing or of another type', () => {
    for (const message of [
      { type: 'start', config: { ...config, port: undefined }, device: 0, version: '1' },
      { type: 'start', config: { ...config, port: '1' }, device: 0, version: '1' },
      { type: 'start', config: { ...config, allowHost: 'a' }, device: 0, version: '1' },
      { type: 'start', config: { ...config, devices: '0' }, device: 0, version: '1' },
      { type: 'start', config, version: '1' },
      { type: 'drain' },
      { type: 'reconfigure', layout: [], logLevel: 'loud' },
      { type: 'reconfigure', layout: [{ name: 'a', sizes: ['1'] }], logLevel: 'info' },
      { type: 'reconfigure', logLevel: 'info' },
      { type: 'drain', deadlineMs: -1 },
      { type: 'drain', deadlineMs: 0.5 },
      { type: 'collect', id: '1' },
      { type: 'surveyed', id: 1, report: { ready: true, detail: '' } },
    ]) {
      assert.equal(parseToWorker(message), undefined);
    }
  });
});

describe('messages from a worker', () => {
  it('pass when they are whole', () => {
    for (const message of [
      ready,
      { type: 'failed', message: 'x', permanent: false },
      { type: 'heartbeat', inFlight: 2, late: 1, stuck: false, inspected: false },
      { type: 'taken', id: 1 },
      { type: 'collected', id: 1, metrics: [{ name: 'a' }] },
      { type: 'scrape', id: 1 },
      { type: 'survey', id: 1 },
      { type: 'draining', stage: 'engine', requests: 0, calls: 0 },
    ]) {
      assert.equal(parseFromWorker(message), message);
    }
  });

  it('are refused when they are anything else', () => {
    for (const message of [
      undefined,
      null,
      '',
      1,
      [],
      {},
      { type: 'toString' },
      { type: '__proto__' },
      { type: 'start', config, device: 0, version: '1' },
      { ...ready, arenaBytes: Number.NaN },
      { ...ready, engine: undefined },
      { type: 'heartbeat', inFlight: 2, late: -1, stuck: false, inspected: false },
      { type: 'heartbeat', inFlight: 2, late: 1, stuck: 'no', inspected: false },
      { type: 'collected', id: 1, metrics: [1] },
      { type: 'collected', id: 1, metrics: {} },
      { type: 'draining', stage: 'all', requests: 0, calls: 0 },
    ]) {
      assert.equal(parseFromWorker(message), undefined);
    }
  });
});

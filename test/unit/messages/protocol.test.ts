import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { interpretConfig } from '../../../src/config/config.ts';
import { parseCommandLine } from '../../../src/config/flags.ts';
import { parseFromWorker, parseToWorker } from '../../../src/messages/protocol.ts';

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
  accepts: true,
};

describe('messages to a worker', () => {
  it('are accepted as they arrive on the channel', () => {
    const start: unknown = JSON.parse(
      JSON.stringify({ type: 'start', config, device: 0, listeners: 1 }),
    );
    assert.equal(parseToWorker(start), start);
    for (const message of [
      { type: 'offer', id: 1 },
      { type: 'permit', epoch: 1, connections: 0 },
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

  it('are refused if a member is missing or has another type', () => {
    for (const message of [
      { type: 'start', config: { ...config, port: undefined }, device: 0, listeners: 1 },
      { type: 'start', config: { ...config, port: '1' }, device: 0, listeners: 1 },
      { type: 'start', config: { ...config, allowHost: 'a' }, device: 0, listeners: 1 },
      { type: 'start', config: { ...config, devices: '0' }, device: 0, listeners: 1 },
      { type: 'start', config, listeners: 1 },
      { type: 'start', config, device: 0 },
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
  it('are accepted if they are complete', () => {
    for (const message of [
      ready,
      { type: 'failed', message: 'x', permanent: false },
      { type: 'heartbeat', inFlight: 2, late: 1, stuck: false, inspected: false },
      { type: 'accept', id: 1 },
      { type: 'collected', id: 1, metrics: [{ name: 'a' }], accepted: 3 },
      { type: 'accepted', epoch: 1, connections: 2, total: 3, isFull: false },
      { type: 'scrape', id: 1 },
      { type: 'survey', id: 1 },
      { type: 'draining', stage: 'engine', requests: 0, calls: 0 },
    ]) {
      assert.equal(parseFromWorker(message), message);
    }
  });

  it('are refused in any other form', () => {
    for (const message of [
      undefined,
      null,
      '',
      1,
      [],
      {},
      { type: 'toString' },
      { type: '__proto__' },
      { type: 'start', config, device: 0 },
      { ...ready, arenaBytes: Number.NaN },
      { ...ready, engine: undefined },
      { type: 'heartbeat', inFlight: 2, late: -1, stuck: false, inspected: false },
      { type: 'heartbeat', inFlight: 2, late: 1, stuck: 'no', inspected: false },
      { type: 'collected', id: 1, metrics: [1], accepted: 0 },
      { type: 'collected', id: 1, metrics: {}, accepted: 0 },
      { type: 'draining', stage: 'all', requests: 0, calls: 0 },
    ]) {
      assert.equal(parseFromWorker(message), undefined);
    }
  });
});

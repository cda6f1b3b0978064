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

const token = {
  id: 'a1b2',
  scopes: ['read'],
  prefixes: ['a/'],
  expiresMs: null,
  sha256: '00',
};
const settings = {
  ...{ type: 'reconfigure', id: 1, layout: [], logLevel: 'debug', tokens: null, tls: null },
};
const tls = { cert: 'c', key: 'k', clientCa: null, ticketKeys: 't', sessionIdContext: 's' };

describe('messages to a worker', () => {
  it('are accepted as they arrive on the channel', () => {
    const start: unknown = JSON.parse(
      JSON.stringify({ type: 'start', config, device: 0, listeners: 1, tokens: [token], tls }),
    );
    assert.equal(parseToWorker(start), start);
    for (const message of [
      { type: 'offer', id: 1 },
      { type: 'permit', epoch: 1, connections: 0 },
      { type: 'collect', id: 0 },
      { type: 'metrics', id: 2, contentType: 'text/plain', body: '' },
      { type: 'unready' },
      { ...settings, layout: [{ name: 'a', sizes: [1, 2] }] },
      { ...settings, tokens: [token] },
      { ...settings, tls },
      { ...settings, tls: { ...tls, clientCa: 'a' } },
      { type: 'commit', id: 1, tls: true },
      { ...settings, tokens: [{ ...token, prefixes: [], expiresMs: 5 }] },
      ...['0000-01-01T00:00:00Z', '1969-12-31T23:59:59.999Z', '9999-12-31T23:59:59Z'].map(
        (time) => ({ ...settings, tokens: [{ ...token, expiresMs: Date.parse(time) }] }),
      ),
      { type: 'drain', deadlineMs: 0 },
      { type: 'surveyed', id: 1, report: { ready: true, detail: '', clients: [] } },
      { type: 'logLevelSet', id: 1, pendingDevices: [] },
      { type: 'logLevelSet', id: 1, pendingDevices: [0, 3] },
    ]) {
      assert.equal(parseToWorker(message), message);
    }
  });

  it('are refused if a member is missing or has another type', () => {
    const start = { type: 'start', config, device: 0, listeners: 1, tokens: null, tls: null };
    assert.equal(parseToWorker(start), start);
    for (const message of [
      { ...start, config: { ...config, port: undefined } },
      { ...start, config: { ...config, port: '1' } },
      { ...start, config: { ...config, allowHost: 'a' } },
      { ...start, config: { ...config, devices: '0' } },
      { ...start, device: undefined },
      { ...start, listeners: undefined },
      { ...start, tokens: undefined },
      { type: 'drain' },
      { ...settings, logLevel: 'loud' },
      { ...settings, id: undefined },
      { type: 'logLevelSet', id: 1, pendingDevices: [-1] },
      { type: 'logLevelSet', id: 1 },
      { ...settings, layout: [{ name: 'a', sizes: ['1'] }] },
      { ...settings, layout: undefined },
      { ...settings, tokens: undefined },
      { ...settings, tls: undefined },
      { ...settings, tls: { ...tls, key: undefined } },
      { ...settings, tls: { ...tls, clientCa: undefined } },
      { ...settings, tls: { ...tls, ticketKeys: 7 } },
      { type: 'commit', id: 1 },
      { ...settings, tokens: [{ ...token, id: 7 }] },
      { ...settings, tokens: [{ ...token, scopes: ['all'] }] },
      { ...settings, tokens: [{ ...token, prefixes: 'a/' }] },
      { ...settings, tokens: [{ ...token, expiresMs: '5' }] },
      { ...settings, tokens: [{ ...token, expiresMs: 0.5 }] },
      { ...settings, tokens: [{ ...token, sha256: undefined }] },
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
      { type: 'setLogLevel', id: 1, level: 'debug' },
      { type: 'reconfigured', id: 1 },
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
      { type: 'setLogLevel', id: 1, level: 'loud' },
      { type: 'setLogLevel', id: 1 },
      { type: 'reconfigured' },
    ]) {
      assert.equal(parseFromWorker(message), undefined);
    }
  });
});

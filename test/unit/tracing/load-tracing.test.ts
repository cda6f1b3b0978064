import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { diag, trace } from '@opentelemetry/api';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import type { PoolLog } from '../../../src/log/waiting-log.ts';
import { loadTracing } from '../../../src/tracing/load-tracing.ts';

const warnings: string[] = [];
const log = { warn: (_: object, message: string) => void warnings.push(message) } as PoolLog;
const quiet = { verbose() {}, debug() {}, info() {}, warn() {}, error() {} };

/** The tests run in this order in one process, which has one global API. */
describe('tracing', () => {
  // Other files may run in this process.
  after(() => {
    trace.disable();
    diag.disable();
  });

  it('is off when no package has registered with the API', async () => {
    assert.equal(await loadTracing(log), undefined);
    assert.deepEqual(warnings, []);
  });

  it('is off with a warning when the API is in use without a tracer provider', async () => {
    diag.setLogger(quiet);
    assert.equal(await loadTracing(log), undefined);
    assert.match(warnings.splice(0).join(), /no tracer provider that fits/);
  });

  it('is on when a provider is registered', async () => {
    assert.ok(trace.setGlobalTracerProvider(new TracerProvider()));
    assert.ok((await loadTracing(log)) !== undefined);
    assert.deepEqual(warnings, []);
  });
});

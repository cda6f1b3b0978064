/** examples/otel.mjs on a real gateway, with a collector of the test. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createInjection, injectingLibrary, underRules } from '../../helpers/engine/injecting.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import {
  defaultEngine,
  gatewayCommand,
  type ReadyGateway,
  startGateway,
} from '../../helpers/process/gateway.ts';
import {
  type CollectedSpan,
  type Collector,
  startCollector,
} from '../../helpers/process/otlp-collector.ts';
import { until } from '../../helpers/process/until.ts';

const example = fileURLToPath(new URL('../../../examples/otel.mjs', import.meta.url));
const traceOf = (digit: string) => digit.repeat(32);
const parentId = '00f067aa0ba902b7';
const traced = (digit: string) => ({ traceparent: `00-${traceOf(digit)}-${parentId}-01` });
const SERVER_KIND = 2;

const fewSlots = ['--call-slots', '4', '--coalescing', 'off'];

/** A form with one file. */
const formOf = (key: string, value: string): string =>
  [
    '--x',
    `Content-Disposition: form-data; name="${key}"; filename="a"`,
    '',
    value,
    '--x--',
    '',
  ].join('\r\n');

let collector: Collector;
before(async () => {
  collector = await startCollector();
});
after(() => collector.close());

const spansOf = (digit: string): readonly CollectedSpan[] =>
  collector.spans.filter(({ traceId }) => traceId === traceOf(digit));

/** The spans of a trace, once its server span has arrived; the SDK sends it with or after the others. */
async function collected(digit: string) {
  const isServer = ({ kind }: CollectedSpan) => kind === SERVER_KIND;
  await until(() => spansOf(digit).some(isServer), { what: `the spans of trace ${digit}` });
  const [server] = spansOf(digit).filter(isServer);
  assert.ok(server !== undefined);
  return { server, calls: spansOf(digit).filter((span) => !isServer(span)) };
}

const environment = () => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  TRACE_RATIO: '0',
});

/** `--import` before the program, as an operator gives it. */
const command = (): [string, ...string[]] => [
  process.execPath,
  '--import',
  example,
  ...gatewayCommand(),
];

describe('a gateway with examples/otel.mjs', () => {
  const injection = createInjection();
  let gateway: ReadyGateway;
  const { request } = requestTo(() => gateway);

  before(async () => {
    gateway = await startGateway({
      command: command(),
      args: ['--engine', await injectingLibrary(), '--access-log', ...fewSlots],
      env: { ...environment(), ...injection.env },
    });
    await load();
    assert.equal((await gateway.stop()).code, 0);
  });
  after(async () => {
    await gateway.kill();
    injection.dispose();
  });

  /** All requests come first: the SDK sends its spans every 5 s, and at the end of the worker. */
  async function load(): Promise<void> {
    const json = { 'Content-Type': 'application/json' };
    const put = await request('PUT', 'secret/key', { headers: traced('a'), body: 'value' });
    assert.equal(put.status, 201);
    const slow = [{ on: ['put' as const, 'batch_put' as const], delayOutsideUs: 50_000 }];
    await underRules(injection, gateway.url, slow, async () => {
      const options = { headers: traced('b'), body: 'value' };
      // More than there are slots for calls.
      const all = Array.from({ length: 20 }, (_, at) => request('PUT', `secret/${at}`, options));
      for (const { status } of await Promise.all(all)) assert.equal(status, 201);
    });
    const item = JSON.stringify({ items: [{ key: 'secret/batch', value: 'aGk=' }] });
    const sent = { headers: { ...json, ...traced('c') }, body: item };
    assert.equal((await request('POST', '', sent, '/v1/batch/put')).status, 200);
    const type = { 'Content-Type': 'multipart/form-data; boundary=x' };
    const parts = { headers: { ...type, ...traced('d') }, body: formOf('secret/form', 'value') };
    assert.equal((await request('POST', '', parts, '/v1/batch/put')).status, 200);
    const keys = JSON.stringify({ keys: ['secret/batch', 'secret/form'] });
    const asked = { headers: { ...json, ...traced('e') }, body: keys };
    assert.equal((await request('POST', '', asked, '/v1/batch/get')).status, 200);
    const layers = { headers: { ...json, ...traced('5') }, body: '{"layers":["aGk=","aGk="]}' };
    assert.equal((await request('PUT', 'secret/layers', layers, 'layers')).status, 201);
    await request('GET', 'secret/missing', { headers: traced('f') });
    const traceparent = `00-${traceOf('9')}-${parentId}-00`;
    await request('GET', 'secret/key', { headers: { traceparent } });
    await request('GET', 'secret/key', { headers: { traceparent: 'nonsense' } });
  }

  const namesOf = (calls: readonly CollectedSpan[]) => calls.map(({ name }) => name);

  it('sends a span for the request and one for each engine call, as children of the client', async () => {
    const { server, calls } = await collected('a');
    assert.equal(server.name, 'PUT /v1/objects/{key}');
    assert.equal(server.parentSpanId, parentId);
    assert.equal(server.attributes['http.response.status_code'], 201);
    assert.equal(server.attributes['http.request.body.size'], 5);
    assert.deepEqual(namesOf(calls), ['engine put']);
    assert.equal(calls[0]?.parentSpanId, server.spanId);
  });

  it('has the time that a call waited for the engine', async () => {
    const { server, calls } = await collected('b');
    const waits = calls.map(({ attributes }) =>
      Number(attributes['memcache_gateway.engine.queue_duration']),
    );
    assert.equal(calls.length, 20);
    assert.ok(Math.min(...waits) < 0.04 && Math.max(...waits) > 0.04, String(waits));
    const own = calls.filter(({ parentSpanId }) => parentSpanId === server.spanId);
    assert.equal(own.length, 1);
  });

  it('records the engine calls of batches and layers', async () => {
    for (const [digit, name] of [
      ['c', 'engine batch_put'],
      ['d', 'engine batch_put'],
      ['e', 'engine batch_get'],
      ['5', 'engine put'],
    ] as const) {
      const { server, calls } = await collected(digit);
      assert.ok(namesOf(calls).includes(name), `${server.name}: ${namesOf(calls).join(', ')}`);
    }
  });

  it('writes the ids of the span to the log line, and sends no key', async () => {
    const { server } = await collected('f');
    assert.equal(server.attributes['http.response.status_code'], 404);
    const line = gateway.logged().find(({ traceId }) => traceId === traceOf('f'));
    assert.equal(line?.['spanId'], server.spanId);
    assert.equal(line?.['keyHash'], server.attributes['memcache_gateway.key_hash']);
    assert.ok(collector.text().includes(traceOf('f')));
    assert.doesNotMatch(collector.text(), /secret/);
  });

  it('sends nothing for a client that does not record its trace, and has its id in the log', async () => {
    await collected('f');
    assert.equal(spansOf('9').length, 0);
    assert.ok(gateway.logged().some(({ traceId }) => traceId === traceOf('9')));
  });
});

describe('a gateway whose SDK sends its spans rarely', () => {
  it('sends them when the worker ends', { skip: defaultEngine !== 'embedded' }, async () => {
    const gateway = await startGateway({ command: command(), env: environment() });
    const headers = traced('7');
    assert.equal((await fetch(`${gateway.url}/v1/objects/a`, { headers })).status, 404);
    assert.equal(spansOf('7').length, 0);
    assert.equal((await gateway.stop()).code, 0);
    const { server, calls } = await collected('7');
    assert.equal(server.name, 'GET /v1/objects/{key}');
    assert.deepEqual(
      calls.map(({ name }) => name),
      ['engine query'],
      'on the JavaScript thread',
    );
  });

  it('loads the SDK from NODE_OPTIONS too', { skip: defaultEngine !== 'embedded' }, async () => {
    const NODE_OPTIONS = `--import=${example}`;
    const gateway = await startGateway({ env: { ...environment(), NODE_OPTIONS } });
    await fetch(`${gateway.url}/livez`, { headers: traced('6') });
    assert.equal((await gateway.stop()).code, 0);
    assert.equal((await collected('6')).server.name, 'GET /livez');
  });
});

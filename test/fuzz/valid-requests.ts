/** Valid requests of all operations, on few keys, so that they meet each other. */
import type { createRandom } from '../model/values.ts';

export type Random = ReturnType<typeof createRandom>;

export interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

const KEYS = 40;
/** Mostly small; some larger than what is sent in one write, and some larger than a slice of TLS. */
const LENGTHS = [1, 5, 100, 4096, 20_000, 70_000, 300_000] as const;

const keyOf = (random: Random): string =>
  `${random.pick(['a', 'b/c', 'é'])}/${random.between(0, KEYS)}`;
const target = (key: string): string => encodeURI(key);
const newValue = (random: Random): Buffer =>
  Buffer.alloc(random.pick(LENGTHS.slice(0, random.between(1, LENGTHS.length + 1))), 'value');
const jsonOf = (value: unknown) => ({
  headers: { 'Content-Type': 'application/json' },
  body: Buffer.from(JSON.stringify(value)),
});
const keysOf = (random: Random): string[] =>
  Array.from({ length: random.between(0, 12) }, () => keyOf(random));

function putObject(random: Random): FuzzRequest {
  const query = random.pick([
    '',
    '',
    '?ifExists=replace',
    '?ifExists=keep',
    '?replicas=1&prefer=0',
  ]);
  const headers = random.pick([{}, {}, { 'If-None-Match': '*' }, { 'Content-Type': 'text/plain' }]);
  const path = `/v1/objects/${target(keyOf(random))}${query}`;
  return { method: 'PUT', path, headers, body: newValue(random) };
}

function getObject(random: Random): FuzzRequest {
  const headers = random.pick([
    ...[{}, {}, {}, { Range: 'bytes=0-3' }, { Range: 'bytes=-5' }, { Range: 'bytes=9999999-' }],
    ...[{ 'If-None-Match': '*' }, { 'If-Match': '*' }, { 'Want-Repr-Digest': 'sha-256=1' }],
    { 'Memcache-Timing': 'on' },
  ]);
  const method = random.pick(['GET', 'GET', 'GET', 'HEAD']);
  return { method, path: `/v1/objects/${target(keyOf(random))}`, headers };
}

function layers(random: Random): FuzzRequest {
  const path = `/v1/layers/${target(keyOf(random))}?sizes=${random.pick(['5', '2x2,1', '100', '7'])}`;
  if (random.chance(0.6)) {
    const accept = random.pick(['*/*', 'application/json', 'multipart/mixed']);
    return { method: random.pick(['GET', 'HEAD']), path, headers: { Accept: accept } };
  }
  return { method: 'PUT', path, ...jsonOf({ layers: ['dmE=', 'bHU=', 'ZQ=='] }) };
}

function batch(random: Random): FuzzRequest {
  const operation = random.pick(['put', 'get', 'exists', 'info', 'remove']);
  const path = `/v1/batch/${operation}`;
  if (operation !== 'put') {
    const until = operation === 'exists' && random.chance(0.3) ? { until: 'missing' } : {};
    const { headers, body } = jsonOf({ keys: keysOf(random), ...until });
    const types = ['application/json', 'application/vnd.safetensors', 'multipart/mixed'];
    const accept = operation === 'get' ? random.pick(types) : '*/*';
    return { method: 'POST', path, headers: { ...headers, Accept: accept }, body };
  }
  if (random.chance(0.3)) {
    const part = (key: string) =>
      `--x\r\nContent-Disposition: form-data; name="${key}"; filename="f"\r\n\r\nvalue\r\n`;
    const body = Buffer.from(`${keysOf(random).map(part).join('')}--x--\r\n`);
    return {
      method: 'POST',
      path,
      headers: { 'Content-Type': 'multipart/form-data; boundary=x' },
      body,
    };
  }
  const items = keysOf(random).map((key) => ({ key, value: newValue(random).toString('base64') }));
  const ifExists = random.pick(['fail', 'keep', 'replace']);
  return { method: 'POST', path, ...jsonOf({ items, ifExists }) };
}

function pool(random: Random): FuzzRequest {
  const list = `?prefix=${random.pick(['a/', 'b/', ''])}&limit=${random.between(1, 20)}`;
  const [method, path] = random.pick([
    ['GET', '/v1/clients'],
    ['GET', '/v1/cluster/health'],
    ['GET', '/v1/cluster/segments'],
    ['GET', '/v1/cluster/capacity'],
    ['GET', `/v1/keys${list}`],
    ['DELETE', `/v1/keys?prefix=${random.pick(['a/1', 'b/c/2'])}${random.pick(['', '&dryRun'])}`],
    ['GET', '/v1/admin/log-level'],
  ] as const);
  return { method, path, headers: {} };
}

const setLevel = (): FuzzRequest => ({
  ...{ method: 'PUT', path: '/v1/admin/log-level' },
  ...jsonOf({ level: 'error' }),
});

function page(random: Random): FuzzRequest {
  const path = random.pick([
    ...['/livez', '/readyz', '/readyz?verbose', '/metrics', '/', '/docs', '/openapi.json'],
    ...['/openapi.yaml', '/problems', '/problems/no-room', '/problems/none', '/nothing'],
  ]);
  return { method: random.pick(['GET', 'GET', 'HEAD']), path, headers: {} };
}

function remove(random: Random): FuzzRequest {
  return { method: 'DELETE', path: `/v1/objects/${target(keyOf(random))}`, headers: {} };
}

const info = (random: Random): FuzzRequest => ({
  ...{ method: random.pick(['GET', 'HEAD']), path: `/v1/info/${target(keyOf(random))}` },
  headers: {},
});

export function validRequest(random: Random): FuzzRequest {
  const dice = random.next();
  if (dice < 0.01) return page(random);
  if (dice < 0.02) return pool(random);
  if (dice < 0.022) return setLevel();
  const most = [putObject, putObject, getObject, getObject, info, layers, batch, batch, remove];
  return random.pick(most)(random);
}

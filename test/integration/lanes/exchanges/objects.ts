/** Objects and their info: every method, option, condition, range and refusal. */
import { chunked } from '../../../helpers/http/raw-connection.ts';
import { defaultEngine } from '../../../helpers/process/gateway.ts';
import { apart, bytesOf, type Exchange, type Headers, one, sha256 } from './exchange.ts';

const mebibyte = 1 << 20;
/** Only the embedded engine's pool has a known size, so that the gateway knows that a value never fits. */
const knowsPool = defaultEngine === 'embedded';
const unsized = { 'Transfer-Encoding': 'chunked' };
const object = (key: string) => `/v1/objects/${key}`;
const large = bytesOf(3 * mebibyte);

const life: Exchange[] = [
  one(201, 'PUT', object('kv/block%207'), {}, 'hello'),
  one(200, 'GET', object('kv/block%207')),
  one(200, 'HEAD', object('kv/block%207')),
  one(200, 'GET', '/v1/info/kv/block%207'),
  one(200, 'HEAD', '/v1/info/kv/block%207'),
  one(409, 'PUT', object('kv/block%207'), {}, 'second'),
  one(409, 'PUT', object('kv/block%207?ifExists=fail'), {}, 'second'),
  one(200, 'PUT', object('kv/block%207?ifExists=keep'), {}, 'second'),
  one(200, 'GET', object('kv/block%207')),
  one(200, 'PUT', object('kv/block%207?ifExists=replace'), {}, 'second'),
  one(200, 'GET', object('kv/block%207')),
  one(204, 'DELETE', object('kv/block%207')),
  one(404, 'DELETE', object('kv/block%207')),
  one(404, 'GET', object('kv/block%207')),
  one(404, 'HEAD', object('kv/block%207')),
  one(404, 'GET', '/v1/info/kv/block%207'),
  one(404, 'HEAD', '/v1/info/kv/block%207'),
];

/** The sizes at which the path of the bytes changes, and the sizes one byte around them. */
const edges = [1, 14 * 1024, 16 * 1024, 64 * 1024, 128 * 1024, mebibyte, 3 * mebibyte];
const sizes = edges
  .flatMap((edge) => [edge - 1, edge, edge + 1])
  .filter((size) => size > 0)
  .flatMap((size): Exchange[] => {
    const body = bytesOf(size);
    const path = object(`size/${size}`);
    const ways = [
      one(201, 'PUT', path, {}, body),
      apart(200, 'PUT', `${path}?ifExists=keep`, {}, body),
    ];
    const chunks = one(200, 'PUT', `${path}?ifExists=replace`, unsized, chunked(body));
    return [
      ...ways,
      ...(size <= mebibyte ? [chunks] : []),
      one(200, 'GET', path),
      one(204, 'DELETE', path),
    ];
  });

const options: Exchange[] = [
  ...['replicas=1', 'prefer=0', 'replicas=1&prefer=0'].map((query) =>
    one(201, 'PUT', object(`place/${query}?${query}`), {}, 'x'),
  ),
  ...['replicas=2', 'replicas=8', 'prefer=4711', 'replicas=2&prefer=0'].map((query) =>
    one(422, 'PUT', object(`no-place?${query}`), {}, 'x'),
  ),
  ...['replicas=0', 'replicas=9', 'replicas=x', 'replicas=', 'prefer=-1', 'prefer=', 'prefer=0,1']
    .concat(['replicas=1&replicas=1', 'replica=1', 'ifExists=no', 'ifexists=keep', 'x=%', '%zz'])
    .map((query) => one(400, 'PUT', object(`option?${query}`), {}, 'x')),
  one(400, 'GET', object('a?replicas=1')),
  one(400, 'HEAD', object('a?x')),
  one(400, 'DELETE', object('a?replicas=1')),
  one(400, 'GET', '/v1/info/a?x'),
  one(knowsPool ? 413 : 422, 'PUT', object('pool?replicas=8'), {}, Buffer.alloc(8 * mebibyte)),
];

const bodies: Exchange[] = [
  one(201, 'PUT', object('largest'), {}, Buffer.alloc(8 * mebibyte, 'x')),
  one(204, 'DELETE', object('largest')),
  one(413, 'PUT', object('larger'), { 'Content-Length': 8 * mebibyte + 1 }),
  apart(413, 'PUT', object('larger'), unsized, chunked(Buffer.alloc(mebibyte + 1))),
  one(422, 'PUT', object('nothing'), { 'Content-Length': 0 }),
  one(422, 'PUT', object('nothing'), unsized, '0\r\n\r\n'),
  one(422, 'PUT', object('nothing')),
  ...[
    { 'Content-Type': 'text/html' },
    { 'Content-Type': 'nonsense' },
    { 'Content-Encoding': 'Identity' },
  ].flatMap((headers, at): Exchange[] => [
    one(201, 'PUT', object(`typed/${at}`), headers as Headers, '<b>'),
    one(200, 'GET', object(`typed/${at}`)),
  ]),
  ...['gzip', 'br', 'gzip, identity', 'aws-chunked', ''].map((coding) =>
    one(415, 'PUT', object('coded'), { 'Content-Encoding': coding }, 'x'),
  ),
  one(400, 'PUT', object('part'), { 'Content-Range': 'bytes 0-0/2' }, 'x'),
  one(
    201,
    'PUT',
    object('chunks'),
    unsized,
    '3;ext=1\r\nabc\r\n00002\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n',
  ),
  one(200, 'GET', object('chunks')),
  one(501, 'PUT', object('coding'), { 'Transfer-Encoding': 'gzip, chunked' }),
  one(400, 'GET', object('a'), {}, 'x'),
  one(400, 'HEAD', object('a'), {}, 'x'),
  one(400, 'DELETE', object('a'), {}, 'x'),
  one(400, 'GET', '/v1/info/a', {}, 'x'),
  one(400, 'GET', object('a'), { 'Content-Length': 1e9 }),
  one(404, 'GET', object('a'), { 'Content-Length': 0 }),
];

const digests: Exchange[] = [
  one(201, 'PUT', object('digest'), { 'Content-Digest': sha256(large) }, large),
  apart(200, 'PUT', object('digest?ifExists=keep'), { 'Content-Digest': sha256('y') }, 'y'),
  one(201, 'PUT', object('digest/x'), { ...unsized, 'Content-Digest': sha256('x') }, chunked('x')),
  one(400, 'PUT', object('digest/no'), { 'Content-Digest': sha256('y') }, 'x'),
  one(400, 'PUT', object('digest/no'), { ...unsized, 'Content-Digest': sha256('y') }, chunked('x')),
  one(400, 'PUT', object('digest/x?ifExists=replace'), { 'Content-Digest': sha256('y') }, 'new'),
  one(200, 'GET', object('digest/x')),
  one(404, 'GET', object('digest/no')),
  ...['', 'nonsense', 'md5=:1B2M2Y8AsgTpgAmY7PhCfg==:', 'sha-256=:AA==:'].map((digest) =>
    one(400, 'PUT', object('digest/none'), { 'Content-Digest': digest }, 'x'),
  ),
  ...['sha-256=1', 'sha-256=1, sha-512=2', 'md5=9', '((('].flatMap((want): Exchange[] => [
    one(200, 'GET', object('digest'), { 'Want-Repr-Digest': want }),
    one(206, 'GET', object('digest'), { 'Want-Repr-Digest': want, Range: 'bytes=-2' }),
    one(200, 'HEAD', object('digest'), { 'Want-Repr-Digest': want }),
  ]),
  one(416, 'GET', object('digest'), { 'Want-Repr-Digest': 'sha-256=1', Range: 'bytes=9999999-' }),
];

/** Statuses in the order GET, HEAD, DELETE, PUT with ifExists=replace: without the object, then with it. */
const conditions = (
  [
    [{ 'If-None-Match': '*' }, [404, 404, 404, 201], [304, 304, 412, 412]],
    [{ 'If-Match': '*' }, [412, 412, 412, 412], [200, 200, 204, 200]],
    [{ 'If-Match': '"a"' }, [412, 412, 412, 412], [412, 412, 412, 412]],
    [{ 'If-None-Match': '"a", W/"b"' }, [404, 404, 404, 201], [200, 200, 204, 200]],
  ] as [Headers, number[], number[]][]
).flatMap(([headers, absent, present], row) =>
  ['GET', 'HEAD', 'DELETE', 'PUT'].flatMap((method, at): Exchange[] => {
    const query = method === 'PUT' ? '?ifExists=replace' : '';
    const body = method === 'PUT' ? 'new' : undefined;
    const [missing, there] = [object(`none/${row}/${at}`), object(`there/${row}/${at}`)];
    return [
      one(absent[at] ?? 0, method, missing + query, headers, body),
      one(201, 'PUT', there, {}, 'old'),
      one(present[at] ?? 0, method, there + query, headers, body),
    ];
  }),
);

const ifExists = ['fail', 'keep', 'replace'].map((way) =>
  one(412, 'PUT', object(`digest?ifExists=${way}`), { 'If-None-Match': '*' }, 'new'),
);

const ranges: Exchange[] = [
  ...['0-0', '0-', '-1', '-4000000', '5-4', '100-200', '3145727-', '1048575-1048577'].map((range) =>
    one(range === '5-4' ? 200 : 206, 'GET', object('digest'), { Range: `bytes=${range}` }),
  ),
  ...['3145728-', '-0', '99999999999999999999-'].map((range) =>
    one(416, 'GET', object('digest'), { Range: `bytes=${range}` }),
  ),
  ...['bytes=0-1,5-6', 'lines=0-1', 'nonsense', 'bytes=-'].map((range) =>
    one(200, 'GET', object('digest/x'), { Range: range }),
  ),
  one(200, 'GET', object('digest/x'), { Range: 'bytes=0-1', 'If-Range': '"a"' }),
  one(200, 'GET', object('digest/x'), { Range: 'bytes=5000-', 'If-Range': '"a"' }),
  one(200, 'HEAD', object('digest/x'), { Range: 'bytes=0-1' }),
];

const accept: Exchange[] = [
  ...['*/*', 'application/*', 'image/png, */*;q=0.1', 'application/octet-stream'].map((type) =>
    one(200, 'GET', object('digest/x'), { Accept: type }),
  ),
  ...['text/html', 'application/json', '*/*;q=0'].flatMap((type): Exchange[] => [
    one(406, 'GET', object('digest/x'), { Accept: type }),
    one(406, 'HEAD', object('digest/x'), { Accept: type }),
  ]),
  one(200, 'GET', '/v1/info/digest/x', { Accept: 'application/json' }),
  one(406, 'GET', '/v1/info/digest/x', { Accept: 'application/octet-stream' }),
];

const methods: Exchange[] = [
  ...['POST', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'M-SEARCH'].flatMap((method): Exchange[] => [
    one(405, method, object('a')),
    one(405, method, '/v1/info/a'),
    one(405, method, '/v1/layers/a?sizes=1'),
  ]),
  one(405, 'POST', object('a'), {}, 'x'),
  one(405, 'PUT', '/v1/info/a', {}, 'x'),
  one(405, 'DELETE', '/v1/info/a', {}, 'x'),
  one(405, 'DELETE', '/v1/layers/a?sizes=1'),
];

export const objects: Readonly<Record<string, readonly Exchange[]>> = {
  'an object from its PUT to its DELETE': life,
  'objects of every size where the path of the bytes changes': sizes,
  'the options of a PUT': options,
  'bodies of objects': bodies,
  digests,
  conditions: [...conditions, ...ifExists],
  ranges,
  Accept: accept,
  'methods that a resource does not have': methods,
};

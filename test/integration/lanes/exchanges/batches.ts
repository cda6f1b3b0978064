/** Batches and layers, in every form of their bodies and of their responses. */
import { fileOf, form, json, partsOf, tensors } from '../../../helpers/bodies/layers.ts';
import { formOf } from '../../../helpers/bodies/multipart.ts';
import { safetensorsOf } from '../../../helpers/bodies/safetensors.ts';
import { chunked } from '../../../helpers/http/raw-connection.ts';
import { apart, bytesOf, type Exchange, type Headers, one, sha256 } from './exchange.ts';

const mebibyte = 1 << 20;
const unsized = { 'transfer-encoding': 'chunked' };
const text = (value: unknown): string => JSON.stringify(value);
const base64 = (value: string): string => Buffer.from(value).toString('base64');
const post = (status: number, operation: string, body: string | Buffer, headers: Headers = json) =>
  one(status, 'POST', `/v1/batch/${operation}`, headers, body);
const large = bytesOf(mebibyte);

const put = {
  items: [
    { key: 'batch/a', value: base64('one') },
    { key: 'batch/b', value: base64('two') },
    { key: 'batch/a', value: base64('again') },
    { key: 'batch/empty', value: '' },
    { key: 'batch/é/..', value: base64('three') },
  ],
};
const keys = text({ keys: ['batch/b', 'batch/none', 'batch/a', 'batch/é/..', 'batch/b'] });
const answers = ['*/*', 'application/json', 'multipart/mixed', 'application/vnd.safetensors'];

const inJson: Exchange[] = [
  post(200, 'put', text(put)),
  post(200, 'put', text(put)),
  post(200, 'put', text({ ...put, ifExists: 'keep' })),
  post(200, 'put', text({ ...put, ifExists: 'replace' })),
  post(200, 'put', text({ ...put, replicas: 2 })),
  apart(200, 'POST', '/v1/batch/put', json, text({ ...put, ifExists: 'keep' })),
  post(200, 'exists', chunked(keys), { ...json, ...unsized }),
  ...['exists', 'info', 'get'].map((operation) => post(200, operation, keys)),
  ...answers.map((accept) =>
    // A safetensors file cannot have a name twice.
    post(accept.endsWith('safetensors') ? 400 : 200, 'get', keys, { ...json, accept }),
  ),
  ...['put', 'get', 'exists', 'info', 'remove'].map((operation) =>
    post(406, operation, keys, { ...json, accept: 'image/png' }),
  ),
  post(200, 'exists', keys, { ...json, 'content-digest': sha256(keys) }),
  post(400, 'remove', keys, { ...json, 'content-digest': sha256('other') }),
  post(200, 'remove', keys),
  post(200, 'remove', keys),
  ...['get', 'exists', 'info', 'remove'].map((operation) => post(200, operation, '{"keys":[]}')),
  post(200, 'put', '{"items":[]}'),
];

const refusedJson: Exchange[] = [
  ...['', '[]', '{}', 'null', '{"keys":"a"}', '{"keys":[1]}', '{"keys":["a",]}', '{"keys":["a"]']
    .concat(['{"keys":["a"]}x', '{"keys":["a"],"keys":["b"]}', '{"keys":["a"],"x":1}'])
    .flatMap((body) => ['get', 'remove', 'put'].map((operation) => post(400, operation, body))),
  ...['', 'x'.repeat(256), 'a\u0000b', '\ud800'].map((key) =>
    post(400, 'exists', text({ keys: ['ok', key] })),
  ),
  ...[
    { items: [{ key: 'a' }] },
    { items: [{ key: 'a', value: 'YQ=' }] },
    { ...put, replicas: 9 },
    { ...put, prefer: [0, 1] },
    { ...put, ifExists: 'no' },
  ].map((body) => post(400, 'put', text(body))),
  post(413, 'exists', text({ keys: Array<string>(1001).fill('a') })),
  post(413, 'exists', `${keys}${' '.repeat(mebibyte)}`),
  post(413, 'exists', chunked(`${keys}${' '.repeat(mebibyte)}`), { ...json, ...unsized }),
  ...['text/plain', 'json', '', 'application/json; charset=latin1', 'multipart/form-data'].map(
    (type) => post(415, 'exists', keys, { 'content-type': type }),
  ),
  post(415, 'exists', keys, {}),
  post(415, 'exists', keys, { ...json, 'content-encoding': 'gzip' }),
  post(400, 'exists?x=1', keys),
  post(400, 'put?replicas=1', '{"items":[]}'),
  ...['put', 'get', 'exists', 'info', 'remove'].flatMap((operation) =>
    ['GET', 'PUT', 'DELETE'].map((method) => one(405, method, `/v1/batch/${operation}`)),
  ),
];

const values: [string, Buffer][] = [
  ['form/a', Buffer.from('one')],
  ['form/b', large],
  ['form/a', Buffer.from('again')],
  ['form/empty', Buffer.alloc(0)],
];
const parts = formOf('b', values);
const file = safetensorsOf([values[0], values[1]].flatMap((value) => (value ? [value] : [])));
const formKeys = text({ keys: ['form/b', 'form/none', 'form/a'] });

const otherForms: Exchange[] = [
  post(200, 'put', parts, form),
  post(200, 'put?ifExists=keep', chunked(parts), { ...form, ...unsized }),
  apart(200, 'POST', '/v1/batch/put?ifExists=replace', form, parts),
  ...answers.map((accept) => post(200, 'get', formKeys, { ...json, accept })),
  post(200, 'put?ifExists=keep', file, tensors),
  post(200, 'put?ifExists=replace', chunked(file), { ...tensors, ...unsized }),
  apart(200, 'POST', '/v1/batch/put', tensors, file),
  post(200, 'put?ifExists=keep', file, { ...tensors, 'content-digest': sha256(file) }),
  post(200, 'put?replicas=2', file, tensors),
  post(400, 'put?ifExists=no', file, tensors),
  post(400, 'put', file.subarray(0, 20), tensors),
  post(400, 'put', parts.subarray(0, -4), form),
  post(200, 'remove', formKeys),
];

const layers = [Buffer.from('12345'), Buffer.from('67890')];
const layersAt = (
  status: number,
  method: string,
  what: string,
  headers: Headers = {},
  body?: string | Buffer,
) => one(status, method, `/v1/layers/${what}`, headers, body);
const inLayers = text({ layers: layers.map((layer) => layer.toString('base64')) });

const layered: Exchange[] = [
  layersAt(201, 'PUT', 'tensors', tensors, fileOf(layers)),
  layersAt(409, 'PUT', 'tensors', tensors, fileOf(layers)),
  layersAt(
    200,
    'PUT',
    'tensors?ifExists=keep',
    { ...tensors, ...unsized },
    chunked(fileOf(layers)),
  ),
  layersAt(200, 'PUT', 'tensors?ifExists=replace&layout=pair', form, partsOf(layers)),
  layersAt(412, 'PUT', 'tensors', { ...form, 'if-none-match': '*' }, partsOf(layers)),
  apart(201, 'PUT', '/v1/layers/form?sizes=5x2', form, partsOf(layers)),
  layersAt(201, 'PUT', 'unsized?sizes=5x2', { ...form, ...unsized }, chunked(partsOf(layers))),
  layersAt(201, 'PUT', 'json', json, inLayers),
  layersAt(201, 'PUT', 'digested', { ...json, 'content-digest': sha256(inLayers) }, inLayers),
  layersAt(400, 'PUT', 'digest/no', { ...json, 'content-digest': sha256('x') }, inLayers),
  ...(
    [
      [tensors, fileOf(layers)],
      [form, partsOf(layers)],
      [json, inLayers],
    ] as const
  ).map(([headers, body]) => layersAt(422, 'PUT', 'no?sizes=5,4', headers, body)),
  layersAt(422, 'PUT', 'two?replicas=2', tensors, fileOf(layers)),
  layersAt(422, 'PUT', 'none', tensors, fileOf([])),
  layersAt(422, 'PUT', 'none', form, partsOf([])),
  layersAt(400, 'PUT', 'cut', form, partsOf(layers).subarray(0, -4)),
  layersAt(400, 'PUT', 'names', tensors, safetensorsOf([['1', Buffer.from('x')]])),
  layersAt(415, 'PUT', 'type', { 'content-type': 'text/plain' }, 'x'),
  layersAt(415, 'PUT', 'type', {}, 'x'),
  layersAt(400, 'PUT', 'query?select=0', tensors, fileOf(layers)),
  ...answers.flatMap((accept) => [
    layersAt(200, 'GET', 'tensors?layout=pair', { accept }),
    layersAt(200, 'HEAD', 'tensors?layout=pair', { accept }),
    layersAt(200, 'GET', 'tensors?sizes=5x2&select=1,0', { accept }),
  ]),
  layersAt(200, 'GET', 'tensors?sizes=5x2&select=1', { accept: 'application/octet-stream' }),
  layersAt(406, 'GET', 'tensors?sizes=5x2', { accept: 'application/octet-stream' }),
  layersAt(422, 'GET', 'tensors?sizes=9'),
  layersAt(422, 'HEAD', 'tensors?sizes=11'),
  layersAt(404, 'GET', 'missing?sizes=10'),
  layersAt(404, 'HEAD', 'missing?sizes=10'),
  layersAt(304, 'GET', 'tensors?layout=pair', { 'if-none-match': '*' }),
  layersAt(412, 'GET', 'missing?layout=pair', { 'if-match': '*' }),
  ...[
    '',
    'sizes=',
    'sizes=0',
    'sizes=x1',
    'layout=none',
    'layout=pair&sizes=5x2',
    'sizes=5&sizes=5',
  ]
    .concat([
      'sizes=5x2&select=',
      'sizes=5x2&select=2',
      'sizes=5x2&select=0,0',
      'sizes=5&replicas=1',
    ])
    .map((query) => layersAt(400, 'GET', `tensors?${query}`)),
  layersAt(400, 'GET', 'tensors?sizes=5x2', {}, 'x'),
];

export const batches: Readonly<Record<string, readonly Exchange[]>> = {
  'batches in JSON': inJson,
  'refused batches': refusedJson,
  'batches as forms and as safetensors': otherForms,
  layers: layered,
};

import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { describe, it } from 'node:test';
import { type BatchAnswer, batchesOf, told } from '../helpers/batches.ts';
import { withGateway } from '../helpers/lanes.ts';
import { untilIdle } from '../helpers/metrics.ts';
import { anonymousBytes } from '../helpers/process-memory.ts';
import { requestTo } from '../helpers/requests.ts';
import { readSafetensors, safetensorsFile, safetensorsOf } from '../helpers/safetensors.ts';

const type = { 'content-type': 'application/vnd.safetensors' };
const accept = { 'content-type': 'application/json', accept: 'application/vnd.safetensors' };
const BLOCK_BYTES = 8_994_816;
const mebibyte = 1 << 20;

const limits = [
  ...['--arena-bytes', '64MiB', '--pool-bytes', '1GiB', '--max-object-bytes', '16MiB'],
  ...['--batch-keys', '20000', '--batch-json-bytes', '6MiB'],
];

withGateway({ args: limits }, (gateway) => {
  const { batch, post, refused } = batchesOf(gateway);
  const { value, store } = requestTo(gateway);

  async function put(body: Uint8Array, query = '', headers = {}): Promise<BatchAnswer> {
    const answer = await post(`put${query}`, body, { ...type, ...headers });
    assert.equal(answer.status, 200, answer.body.toString().slice(0, 500));
    return JSON.parse(answer.body.toString()) as BatchAnswer;
  }

  async function get(keys: readonly string[]) {
    const answer = await post('get', JSON.stringify({ keys }), accept);
    assert.equal(answer.status, 200, answer.body.toString().slice(0, 500));
    assert.equal(answer.headers['content-type'], 'application/vnd.safetensors');
    const file = readSafetensors(answer.body);
    assert.equal(answer.headers['batch-failed'], file.metadata['failed']);
    return file;
  }

  describe('a safetensors file', () => {
    it('is put and read, whatever is in it', async () => {
      const stem = randomUUID();
      const sizes = [1, 7, 100, 70_000, 5 * mebibyte];
      const values = sizes.map((size, i) => [`${stem}/"é"/${i}`, randomBytes(size)] as const);
      for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
        const answer = await put(safetensorsOf(values), '', headers);
        assert.deepEqual(
          told(answer),
          values.map(([key]) => [key, 201, 0]),
        );
        const keys = values.map(([key]) => key);
        const { tensors, metadata } = await get([...keys].reverse());
        assert.deepEqual([...tensors.keys()], [...keys].reverse());
        for (const [key, bytes] of values) assert.ok(tensors.get(key)?.equals(bytes), key);
        assert.deepEqual(metadata, { failed: '0' });
        await batch('remove', { keys });
      }
      await untilIdle(gateway().url);
    });

    it('of another tool is taken: any type, any order, with padding', async () => {
      const stem = randomUUID();
      const bytes = randomBytes(64);
      const header = {
        [`${stem}/last`]: { dtype: 'BF16', shape: [2, 4], data_offsets: [48, 64] },
        __metadata__: { format: 'pt' },
        [`${stem}/first`]: { dtype: 'F4', shape: [8], data_offsets: [0, 4] },
        [`${stem}/none`]: { dtype: 'F32', shape: [0, 3], data_offsets: [8, 8] },
        [`${stem}/scalar`]: { shape: [], data_offsets: [8, 16], dtype: 'F64' },
        [`${stem}/new`]: { dtype: 'F3_E9', shape: [9], data_offsets: [16, 48] },
      };
      const text = `${JSON.stringify(header)}       `;
      assert.deepEqual(told(await put(safetensorsFile(text, bytes))), [
        [`${stem}/first`, 201, 0],
        [`${stem}/none`, 422, null],
        [`${stem}/scalar`, 201, 0],
        [`${stem}/new`, 201, 0],
        [`${stem}/last`, 201, 0],
      ]);
      assert.ok((await value(`${stem}/last`)).equals(bytes.subarray(48)));
      assert.ok((await value(`${stem}/scalar`)).equals(bytes.subarray(8, 16)));
    });

    it('tells what failed in its metadata', async () => {
      const [a, b] = [await store('one'), await store('second')];
      const { tensors, metadata } = await get(['no/1', a, 'no/2', b]);
      assert.deepEqual(
        [...tensors],
        Object.entries({ [a]: Buffer.from('one'), [b]: Buffer.from('second') }),
      );
      assert.equal(metadata['failed'], '2');
      const failures = JSON.parse(metadata['failures'] ?? '') as { key: string; code: number }[];
      assert.deepEqual(
        failures.map(({ key, code }) => [key, code]),
        [
          ['no/1', -3102],
          ['no/2', -3102],
        ],
      );
      assert.equal((await get([])).metadata['failed'], '0');
      assert.equal((await get(['no/1'])).metadata['failed'], '1');
    });

    it('takes the options of a put from the query', async () => {
      const key = randomUUID();
      const body = (text: string) => safetensorsOf([[key, Buffer.from(text)]]);
      await put(body('one'), '?replicas=1&prefer=0');
      assert.equal((await put(body('two'))).failed, 1);
      assert.equal((await put(body('two'), '?ifExists=keep')).items[0]?.['outcome'], 'kept');
      const replaced = await put(body('three'), '?ifExists=replace');
      assert.equal(replaced.items[0]?.['outcome'], 'replaced');
      assert.equal((await value(key)).toString(), 'three');
      await refused('put?replica=1', body('x'), 400, 'invalid-parameter', type);
    });

    it('cannot name a key twice, nor __metadata__', async () => {
      for (const keys of [
        ['a', 'b', 'a'],
        ['a', '__metadata__'],
      ]) {
        await refused('get', JSON.stringify({ keys }), 400, 'invalid-body', accept);
      }
    });

    it('of thousands of small objects comes back whole', async () => {
      const stem = randomUUID();
      const values = Array.from(
        { length: 20_000 },
        (_, i) => [`${stem}/${i}`, Buffer.from(`value ${i} `.repeat(1 + (i % 50)))] as const,
      );
      assert.equal((await put(safetensorsOf(values))).failed, 0);
      const keys = values.map(([key]) => key);
      const { tensors } = await get(keys);
      for (const [key, bytes] of values) assert.ok(tensors.get(key)?.equals(bytes), key);
      assert.equal((await batch('remove', { keys })).failed, 0);
      await untilIdle(gateway().url);
    });
  });

  describe('a hostile file', () => {
    const tensor = (start: number, end: number, more = {}) => ({
      dtype: 'U8',
      shape: [end - start],
      data_offsets: [start, end],
      ...more,
    });
    const data = Buffer.alloc(16);
    const cases: [string, Buffer, RegExp][] = [
      ['nothing', Buffer.alloc(0), /ends after 0 of the 8 bytes/],
      ['a short length', Buffer.alloc(7), /ends after 7 of the 8/],
      ['a header of nothing', Buffer.alloc(16), /header of 0 bytes/],
      ['a length beyond the file', Buffer.from('e803000000000000', 'hex'), /header alone/],
      ['no JSON', safetensorsFile('xx'), /does not have an object/],
      ['overlap', safetensorsFile({ a: tensor(0, 9), b: tensor(8, 16) }, data), /overlapping/],
      ['a negative offset', safetensorsFile({ a: tensor(-1, 15) }, data), /negative/],
      ['an end before its start', safetensorsFile({ a: tensor(8, 0) }, data), /negative|data_off/],
      ['a fraction', safetensorsFile({ a: tensor(0, 1.5) }, data), /whole number/],
      ['a huge number', safetensorsFile({ a: tensor(0, 1e300) }, data), /whole number/],
      [
        'three offsets',
        safetensorsFile({ a: { ...tensor(0, 1), data_offsets: [0, 1, 2] } }, data),
        /more than 2/,
      ],
      [
        'one offset',
        safetensorsFile({ a: { ...tensor(0, 1), data_offsets: [0] } }, data),
        /data_offsets/,
      ],
      [
        'no dtype',
        safetensorsFile({ a: { shape: [1], data_offsets: [0, 1] } }, data),
        /needs dtype/,
      ],
      ['a strange member', safetensorsFile({ a: tensor(0, 1, { x: [] }) }, data), /unknown member/],
      ['a wrong shape', safetensorsFile({ a: tensor(0, 16, { dtype: 'F32' }) }, data), /takes 64/],
      ['a number in metadata', safetensorsFile({ __metadata__: { a: 1 } }), /string/],
      [
        'a name twice',
        safetensorsFile('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{}}'),
        /twice/,
      ],
      ['bytes too many', safetensorsFile({ a: tensor(0, 15) }, data), /by its header/],
      ['bytes too few', safetensorsFile({ a: tensor(0, 17) }, data), /by its header/],
      ['deep nesting', safetensorsFile('{"a":'.repeat(100_000)), /unknown member|does not have/],
      ['deep arrays', safetensorsFile('['.repeat(500_000)), /does not have an object/],
    ];

    for (const [name, body, complaint] of cases) {
      it(`with ${name} is refused, and says so`, async () => {
        for (const more of [{}, { 'transfer-encoding': 'chunked' }]) {
          const detail = await refused('put', body, 400, 'invalid-body', { ...type, ...more });
          if (!('transfer-encoding' in more)) assert.match(detail, complaint);
        }
      });
    }

    it('with a header past the limit is refused before it is read', async () => {
      const most = 6 * mebibyte;
      const fitting = safetensorsFile('{}'.padEnd(most, ' '));
      assert.equal((await put(fitting)).items.length, 0);
      const more = safetensorsFile('{}'.padEnd(most + 1, ' '));
      await refused('put', more, 413, 'batch-too-large', type);
      const chunked = { ...type, 'transfer-encoding': 'chunked' };
      await refused('put', Buffer.from('00e1f50500000000', 'hex'), 413, 'batch-too-large', chunked);
    });

    it('with bad keys or too many is refused', async () => {
      await refused('put', safetensorsFile({ '': tensor(0, 1) }, data), 400, 'invalid-key', type);
      const many = Object.fromEntries(Array.from({ length: 20_001 }, (_, i) => [i, tensor(0, 0)]));
      await refused('put', safetensorsFile(many), 413, 'batch-too-large', type);
    });

    it('stores nothing when its header is refused', async () => {
      const [a, b] = [randomUUID(), randomUUID()];
      const body = safetensorsFile({ [a]: tensor(0, 8), [b]: tensor(7, 16) }, data);
      await refused('put', body, 400, 'invalid-body', type);
      assert.equal((await batch('exists', { keys: [a] })).items[0]?.['exists'], false);
      await untilIdle(gateway().url);
    });
  });

  describe('a batch that is larger than the arena', () => {
    it('goes in and comes out in order, at bounded memory', { timeout: 100_000 }, async () => {
      const count = 100;
      const stem = randomUUID();
      const keys = Array.from({ length: count }, (_, i) => `${stem}/${i}`);
      const blockOf = (i: number) => Buffer.alloc(BLOCK_BYTES, `${i}, `);
      const header = Object.fromEntries(
        keys.map((key, i) => [
          key,
          {
            dtype: 'U8',
            shape: [BLOCK_BYTES],
            data_offsets: [i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES],
          },
        ]),
      );
      const before = anonymousBytes(gateway().workerPid());
      const answer = await stream(
        'put',
        type,
        count * BLOCK_BYTES,
        safetensorsFile(header),
        blockOf,
      );
      assert.equal((JSON.parse(answer.toString()) as BatchAnswer).failed, 0);
      const hash = createHash('sha256');
      let at = 0;
      const ask = Buffer.from(JSON.stringify({ keys }));
      let start: Buffer | undefined = Buffer.alloc(0);
      await stream('get', accept, 0, ask, blockOf, (chunk) => {
        let bytes = chunk;
        if (start !== undefined) {
          start = Buffer.concat([start, bytes]);
          const end = 8 + Number(start.readBigUInt64LE());
          if (start.length < end) return;
          bytes = start.subarray(end);
          start = undefined;
        }
        hash.update(bytes);
        at += bytes.length;
        assert.ok(anonymousBytes(gateway().workerPid()) < before + (64 + 150) * mebibyte);
      });
      assert.equal(at, count * BLOCK_BYTES);
      const expected = createHash('sha256');
      for (let i = 0; i < count; i++) expected.update(blockOf(i));
      assert.equal(hash.digest('hex'), expected.digest('hex'));
      assert.equal((await batch('remove', { keys })).failed, 0);
      await untilIdle(gateway().url);
    });
  });

  /** A request whose body, `head` and then `bytes` of blocks, is made as it is sent. */
  function stream(
    operation: string,
    headers: Record<string, string>,
    bytes: number,
    head: Buffer,
    blockOf: (i: number) => Buffer,
    take?: (chunk: Buffer) => void,
  ): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const path = `/v1/batch/${operation}`;
      const options = { port: gateway().port, method: 'POST', path, agent: false };
      const request = httpRequest({ ...options, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => (take ? take(chunk) : chunks.push(chunk)));
        response.on('error', reject);
        response.on('end', () => resolve(Buffer.concat(chunks)));
      });
      request.on('error', reject);
      request.setHeader('Content-Length', head.length + bytes);
      request.write(head);
      const send = (i: number): void => {
        if (i * BLOCK_BYTES >= bytes) request.end();
        else request.write(blockOf(i), () => send(i + 1));
      };
      send(0);
    });
  }
});

import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { describe, it } from 'node:test';
import {
  type BatchAnswer,
  batchesOf,
  batchLimits,
  MOST_JSON_BYTES,
  MOST_KEYS,
  reported,
} from '../../helpers/bodies/batches.ts';
import {
  readSafetensors,
  safetensorsFile,
  safetensorsOf,
} from '../../helpers/bodies/safetensors.ts';
import { withSharedGateway } from '../../helpers/http/lanes.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { anonymousBytes } from '../../helpers/memory/process-memory.ts';
import { untilIdle } from '../../helpers/process/metrics.ts';

const type = { 'content-type': 'application/vnd.safetensors' };
const accept = { 'content-type': 'application/json', accept: 'application/vnd.safetensors' };
const BLOCK_BYTES = 8_994_816;
const mebibyte = 1 << 20;

withSharedGateway(batchLimits, (gateway) => {
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
    it('is put and read with values of any size', async () => {
      const stem = randomUUID();
      const sizes = [1, 7, 100, 70_000, 5 * mebibyte];
      const values = sizes.map((size, i) => [`${stem}/"é"/${i}`, randomBytes(size)] as const);
      for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
        const answer = await put(safetensorsOf(values), '', headers);
        assert.deepEqual(
          reported(answer),
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

    it('of another tool is accepted with any type, any order and padding', async () => {
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
      assert.deepEqual(reported(await put(safetensorsFile(text, bytes))), [
        [`${stem}/first`, 201, 0],
        [`${stem}/none`, 422, null],
        [`${stem}/scalar`, 201, 0],
        [`${stem}/new`, 201, 0],
        [`${stem}/last`, 201, 0],
      ]);
      assert.ok((await value(`${stem}/last`)).equals(bytes.subarray(48)));
      assert.ok((await value(`${stem}/scalar`)).equals(bytes.subarray(8, 16)));
    });

    it('reports failures in its metadata', async () => {
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

    it('has the options of its put in the query', async () => {
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

    it('of thousands of small objects is returned whole', async () => {
      const stem = randomUUID();
      const values = Array.from(
        { length: MOST_KEYS },
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
      ['no bytes', Buffer.alloc(0), /ends after 0 of the 8 bytes/],
      ['a short length', Buffer.alloc(7), /ends after 7 of the 8/],
      ['an empty header', Buffer.alloc(16), /header of 0 bytes/],
      ['a length beyond the file', Buffer.from('e803000000000000', 'hex'), /announces a header/],
      ['a header that is not JSON', safetensorsFile('xx'), /does not have an object/],
      [
        'overlapping tensors',
        safetensorsFile({ a: tensor(0, 9), b: tensor(8, 16) }, data),
        /overlapping/,
      ],
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
      [
        'an unknown member',
        safetensorsFile({ a: tensor(0, 1, { x: [] }) }, data),
        /unknown member/,
      ],
      ['a wrong shape', safetensorsFile({ a: tensor(0, 16, { dtype: 'F32' }) }, data), /takes 64/],
      ['a number in metadata', safetensorsFile({ __metadata__: { a: 1 } }), /string/],
      [
        'a name twice',
        safetensorsFile('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{}}'),
        /twice/,
      ],
      ['too many bytes', safetensorsFile({ a: tensor(0, 15) }, data), /its header describes/],
      ['too few bytes', safetensorsFile({ a: tensor(0, 17) }, data), /its header describes/],
      ['deep nesting', safetensorsFile('{"a":'.repeat(100_000)), /unknown member|does not have/],
      ['deep arrays', safetensorsFile('['.repeat(500_000)), /does not have an object/],
    ];

    for (const [name, body, complaint] of cases) {
      it(`with ${name} is refused with that reason`, async () => {
        for (const more of [{}, { 'transfer-encoding': 'chunked' }]) {
          const detail = await refused('put', body, 400, 'invalid-body', { ...type, ...more });
          if (!('transfer-encoding' in more)) assert.match(detail, complaint);
        }
      });
    }

    it('with a header beyond the limit is refused before its body is read', async () => {
      const most = MOST_JSON_BYTES;
      const fitting = safetensorsFile('{}'.padEnd(most, ' '));
      assert.equal((await put(fitting)).items.length, 0);
      const more = safetensorsFile('{}'.padEnd(most + 1, ' '));
      await refused('put', more, 413, 'batch-too-large', type);
      const chunked = { ...type, 'transfer-encoding': 'chunked' };
      await refused('put', Buffer.from('00e1f50500000000', 'hex'), 413, 'batch-too-large', chunked);
    });

    it('with invalid keys or too many keys is refused', async () => {
      await refused('put', safetensorsFile({ '': tensor(0, 1) }, data), 400, 'invalid-key', type);
      const many = Object.fromEntries(
        Array.from({ length: MOST_KEYS + 1 }, (_, i) => [i, tensor(0, 0)]),
      );
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
    it('is stored and read in order, with bounded memory', { timeout: 100_000 }, async () => {
      const count = 24;
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
      const assertBounded = () =>
        assert.ok(anonymousBytes(gateway().workerPid()) < before + (32 + 150) * mebibyte);
      const answer = await stream(
        'put',
        type,
        count * BLOCK_BYTES,
        safetensorsFile(header),
        blockOf,
      );
      assert.equal((JSON.parse(answer.toString()) as BatchAnswer).failed, 0);
      let block = blockOf(0);
      let at = 0;
      /** Compares the next bytes of the file with the blocks that were put, one block at a time. */
      const compare = (bytes: Buffer): void => {
        const from = at % BLOCK_BYTES;
        const part = bytes.subarray(0, BLOCK_BYTES - from);
        assert.ok(part.equals(block.subarray(from, from + part.length)), `at byte ${at}`);
        at += part.length;
        if (at % BLOCK_BYTES === 0) block = blockOf(at / BLOCK_BYTES);
        if (part.length < bytes.length) compare(bytes.subarray(part.length));
      };
      let chunks = 0;
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
        compare(bytes);
        chunks += 1;
        if (chunks % 16 === 0) assertBounded();
      });
      assert.equal(at, count * BLOCK_BYTES);
      assert.equal((await batch('remove', { keys })).failed, 0);
      await untilIdle(gateway().url);
    });
  });

  /** Sends a request whose body, `head` and then `bytes` of blocks, is produced while it is sent. */
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

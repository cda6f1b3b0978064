import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { batchesOf, MOST_KEYS, reported } from '../../helpers/bodies/batches.ts';
import { withGateway } from '../../helpers/http/lanes.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { metricsOf, untilIdle } from '../../helpers/process/metrics.ts';

const limits = [
  ...['--arena-bytes', '32MiB', '--pool-bytes', '48MiB', '--max-object-bytes', '8MiB'],
  ...['--batch-keys', String(MOST_KEYS), '--batch-json-bytes', '16MiB'],
];

withGateway({ args: limits }, (gateway) => {
  const { batch, put, post, refused } = batchesOf(gateway);
  const { value, request, problem } = requestTo(gateway);
  const newKeys = (count: number) => {
    const stem = randomUUID();
    return Array.from({ length: count }, (_, i) => `${stem}/${i}`) as [string, string, string];
  };

  describe('a batch in JSON', () => {
    it('is put, checked, read, inspected and removed, with its items in the given order', async () => {
      const [a, b, missing] = newKeys(3);
      assert.deepEqual(reported(await put({ [a]: 'one', [b]: 'second' })), [
        [a, 201, 0],
        [b, 201, 0],
      ]);
      assert.equal((await value(b)).toString(), 'second');
      const keys = [b, missing, a, b];
      const exists = await batch('exists', { keys });
      assert.deepEqual(reported(exists), [
        [b, 200, 0],
        [missing, 200, -3102],
        [a, 200, 0],
        [b, 200, 0],
      ]);
      assert.deepEqual(
        exists.items.map((item) => item['exists']),
        [true, false, true, true],
      );
      const read = await batch('get', { keys });
      const values = read.items.map((item) => item['value'] as string | undefined);
      const texts = values.map((text) => text && Buffer.from(text, 'base64').toString());
      assert.deepEqual(texts, ['second', undefined, 'one', 'second']);
      assert.deepEqual(read.items[1], {
        key: missing,
        status: 404,
        code: -3102,
        name: 'MMC_UNMATCHED_KEY',
        type: '/problems/object-not-found',
        detail: read.items[1]?.['detail'],
        retryable: false,
      });
      const info = await batch('info', { keys });
      assert.deepEqual(
        info.items.map(({ status, ...item }) => [status, item['size'], item['replicas']]),
        [
          [200, 6, [{ serviceId: 0, medium: 'DRAM' }]],
          [404, undefined, undefined],
          [200, 3, [{ serviceId: 0, medium: 'DRAM' }]],
          [200, 6, [{ serviceId: 0, medium: 'DRAM' }]],
        ],
      );
      assert.deepEqual(reported(await batch('remove', { keys })), [
        [b, 204, 0],
        [missing, 404, -3102],
        [a, 204, 0],
        [b, 404, -3102],
      ]);
      await untilIdle(gateway().url);
    });

    it('without items gets a response without items', async () => {
      for (const operation of ['get', 'exists', 'info', 'remove'] as const) {
        assert.deepEqual(await batch(operation, { keys: [] }), { items: [], failed: 0 });
      }
      assert.deepEqual(await batch('put', { items: [] }), { items: [], failed: 0 });
    });

    it('accepts keys of any characters, escaped or not, and returns them', async () => {
      const stem = randomUUID();
      const keys = ['é', '"\\/', '🗝', '.', '..', '__proto__', 'a b?#%', 'ü'.repeat(100)];
      const own = keys.map((key) => (key.startsWith('.') ? key : stem + key));
      await batch('remove', { keys: own });
      const values = Object.fromEntries(own.map((key, i) => [key, `value ${i}`]));
      assert.equal((await put(values)).failed, 0);
      const escaped = JSON.stringify({ keys: own }).replaceAll(
        /[^ -~]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
      );
      const { items } = JSON.parse((await post('get', escaped)).body.toString()) as {
        items: { key: string; value: string }[];
      };
      assert.deepEqual(
        items.map(({ key, value: text }) => [key, Buffer.from(text, 'base64').toString()]),
        own.map((key, i) => [key, `value ${i}`]),
      );
      await batch('remove', { keys: own });
    });

    it('of more keys than a call accepts is split for the engine', async () => {
      const [there] = newKeys(1);
      await put({ [there]: 'x' });
      const keys = Array.from({ length: MOST_KEYS }, (_, i) =>
        i % 1000 === 7 ? there : `no/${i}`,
      );
      const calls = 'memcache_gateway_engine_call_duration_seconds_count';
      const before = await metricsOf(gateway().url);
      const { items } = await batch('exists', { keys });
      assert.deepEqual(
        items.map((item) => [item.key, item['exists']]),
        keys.map((key) => [key, key === there]),
      );
      const after = await metricsOf(gateway().url);
      const made = [...after].filter(
        ([name, count]) =>
          name.startsWith(calls) && name.includes('batch_exist') && count !== before.get(name),
      );
      assert.ok(made.length > 0);
      assert.equal((await batch('get', { keys })).failed, MOST_KEYS - 17);
      assert.equal((await batch('remove', { keys })).failed, MOST_KEYS - 1);
      await untilIdle(gateway().url);
    });

    it('reads objects of every size in order, more than the arena holds', async () => {
      const sizes = [1, 2, 3, 4, 1000, 70_000, 3 << 18, (3 << 18) + 1, 5 << 20, 8 << 20];
      const values = sizes.map((size) => randomBytes(size));
      const keys = newKeys(sizes.length);
      for (const [i, body] of values.entries()) {
        assert.equal((await request('PUT', keys[i] as string, { body })).status, 201);
      }
      const order = [9, 0, 8, 1, 7, 2, 9, 6, 3, 5, 4, 9];
      const { items } = await batch('get', { keys: order.map((i) => keys[i]) });
      for (const [n, i] of order.entries()) {
        const { key, size, value: text } = items[n] as unknown as Record<string, string | number>;
        assert.equal(key, keys[i]);
        assert.equal(size, sizes[i]);
        assert.ok(Buffer.from(String(text), 'base64').equals(values[i] as Buffer), `item ${n}`);
      }
      await batch('remove', { keys });
      await untilIdle(gateway().url);
    });
  });

  describe('the items of a put', () => {
    it('that exist fail, are kept or are replaced, by ifExists', async () => {
      const [old, fresh, other] = newKeys(3);
      await put({ [old]: 'old' });
      const failed = await put({ [old]: 'new', [fresh]: 'new' });
      assert.deepEqual(reported(failed), [
        [old, 409, -3006],
        [fresh, 201, 0],
      ]);
      const kept = await put({ [old]: 'new' }, { ifExists: 'keep' });
      assert.equal(kept.items[0]?.['outcome'], 'kept');
      assert.equal((await value(old)).toString(), 'old');
      const replaced = await put({ [old]: 'newer', [other]: 'x' }, { ifExists: 'replace' });
      assert.deepEqual(
        replaced.items.map((item) => item['outcome']),
        ['replaced', 'created'],
      );
      assert.equal((await value(old)).toString(), 'newer');
    });

    it('fail one by one: an empty one, a too large one, a repeated key', async () => {
      const [a, b, c] = newKeys(3);
      const items = [
        { key: a, value: 'YQ==' },
        { key: a, value: 'Yg==' },
        { key: b, value: '' },
        { key: c, value: Buffer.alloc((8 << 20) + 1).toString('base64') },
      ];
      const answer = await batch('put', { items });
      assert.deepEqual(reported(answer), [
        [a, 201, 0],
        [a, 409, null],
        [b, 422, null],
        [c, 413, null],
      ]);
      assert.equal((await value(a)).toString(), 'a');
      await problem('GET', b, 404, 'object-not-found');
    });

    it('that cannot be placed get 422, and nothing is stored', async () => {
      const [a, b] = newKeys(2);
      const answer = await put({ [a]: 'x', [b]: 'y' }, { replicas: 2 });
      assert.deepEqual(reported(answer), [
        [a, 422, -1],
        [b, 422, -1],
      ]);
      assert.equal(answer.items[1]?.['type'], '/problems/placement-impossible');
      assert.equal((await batch('exists', { keys: [a] })).items[0]?.['exists'], false);
    });
  });

  describe('an invalid body', () => {
    const wrong = [
      '',
      '[]',
      '{}',
      'null',
      '{"keys":"a"}',
      '{"keys":[1]}',
      '{"keys":["a",]}',
      '{"keys":["a"]',
      '{"keys":["a"]}x',
      '{"keys":["a"],"keys":["b"]}',
      '{"key":["a"]}',
      '{"keys":["a"],"x":1}',
      '{"keys":["\\x"]}',
      '{"keys":["\n"]}',
      '['.repeat(100_000),
      `{"keys":[${'['.repeat(100_000)}`,
    ];

    it('is refused with the fault and its position', async () => {
      for (const operation of ['get', 'exists', 'info', 'remove'] as const) {
        for (const body of wrong) {
          const detail = await refused(operation, body, 400, 'invalid-body');
          assert.match(detail, /^The body .* at byte \d+ of \d+\.$/s);
        }
        await refused(operation, Buffer.from([0x7b, 0xff]), 400, 'invalid-body');
      }
    });

    it('is refused for invalid keys', async () => {
      const keys = ['', 'x'.repeat(256), 'é'.repeat(128), 'a\u0000b', '\u007f', '\ud800'];
      for (const key of keys) {
        await refused('exists', JSON.stringify({ keys: ['ok', key] }), 400, 'invalid-key');
        const items = [{ key, value: 'YQ==' }];
        await refused('put', JSON.stringify({ items }), 400, 'invalid-key');
      }
      assert.equal((await batch('exists', { keys: ['x'.repeat(255)] })).failed, 0);
    });

    it('of a put is refused before anything is stored', async () => {
      const [key] = newKeys(1);
      const good = { key, value: 'YQ==' };
      const bodies = [
        { items: [good, { key: 'b' }] },
        { items: [good, { value: 'YQ==' }] },
        { items: [good, { key: 'b', value: 'YQ==', size: 1 }] },
        { items: [good], replica: 1 },
        { items: [good], replicas: 1.5 },
        { items: [good], replicas: '1' },
        { items: [good], prefer: 0 },
        { items: [good], prefer: [0, 1, 2, 3, 4, 5, 6, 7, 8] },
        ...['YQ=', 'YQ', 'Y Q=', 'YQ==YQ==', '=', 'Y-Q=', 'YQ==\n'].map((text) => ({
          items: [good, { key: 'b', value: text }],
        })),
      ];
      for (const body of bodies) await refused('put', JSON.stringify(body), 400, 'invalid-body');
      const options = [
        { replicas: 0 },
        { replicas: 9 },
        { prefer: [0, 0], replicas: 2 },
        { prefer: [0, 1] },
        { prefer: [-1] },
        { ifExists: 'no' },
      ];
      for (const option of options) {
        const body = JSON.stringify({ items: [good], ...option });
        await refused('put', body, 400, 'invalid-parameter');
      }
      assert.equal((await batch('exists', { keys: [key] })).items[0]?.['exists'], false);
    });

    it('is refused with more keys or bytes than the limits', async () => {
      const most = Array.from({ length: MOST_KEYS }, () => 'a');
      await batch('exists', { keys: most });
      const more = JSON.stringify({ keys: [...most, 'a'] });
      await refused('exists', more, 413, 'batch-too-large');
      const space = ' '.repeat((16 << 20) - 13);
      assert.equal((await post('exists', `{"keys":["a"]}${space.slice(1)}`)).status, 200);
      await refused('exists', `{"keys":["a"]}${space}`, 413, 'batch-too-large');
      const chunked = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
      await refused('exists', `{"keys":["a"]}${space}`, 413, 'batch-too-large', chunked);
      assert.equal((await post('exists', '{"keys":["a"]}', chunked)).status, 200);
    });
  });

  describe('a request for a batch', () => {
    const body = '{"keys":["a"]}';

    it('must name the type of its body', async () => {
      const types = ['text/plain', 'application/x-www-form-urlencoded', 'json', ''];
      for (const type of [...types, 'application/json; charset=latin1', 'multipart/form-data']) {
        const headers = { 'content-type': type };
        await refused('exists', body, 415, 'unsupported-media-type', headers);
      }
      await refused('exists', body, 415, 'unsupported-media-type', {});
      const type = 'Application/JSON; Charset="UTF-8"';
      assert.equal((await post('exists', body, { 'content-type': type })).status, 200);
      const gzip = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
      await refused('exists', body, 415, 'unsupported-content-coding', gzip);
    });

    it('gets JSON when it accepts that, and 406 otherwise', async () => {
      for (const accept of ['*/*', 'application/json', 'text/html, */*;q=0.1', 'application/*']) {
        const headers = { 'content-type': 'application/json', accept };
        const answer = await post('get', body, headers);
        assert.equal(answer.headers['content-type'], 'application/json');
        assert.equal(answer.headers['vary'], 'Accept');
      }
      for (const operation of ['put', 'get', 'exists', 'info', 'remove'] as const) {
        const headers = { 'content-type': 'application/json', accept: 'image/png' };
        await refused(operation, body, 406, 'not-acceptable', headers);
      }
    });

    it('allows no parameters, and POST only', async () => {
      await refused('exists?x=1', body, 400, 'invalid-parameter');
      await refused('put?replicas=1', '{"items":[]}', 400, 'invalid-parameter');
      for (const operation of ['put', 'get', 'exists', 'info', 'remove']) {
        for (const method of ['GET', 'PUT', 'DELETE']) {
          const path = `/v1/batch/${operation}` as const;
          const answer = await problem(method, '', 405, 'method-not-allowed', {}, path);
          assert.equal(answer.headers['allow'], 'POST');
        }
      }
      await problem('POST', '', 404, 'no-such-resource', { body }, '/v1/batch/copy');
      await problem('POST', '', 404, 'no-such-resource', { body }, '/v1/batch/get/');
    });
  });
});

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import {
  type BatchAnswer,
  batchesOf,
  batchLimits,
  MOST_KEYS,
  reported,
} from '../../helpers/bodies/batches.ts';
import { formOf, readMixed } from '../../helpers/bodies/multipart.ts';
import { withSharedGateway } from '../../helpers/http/lanes.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { anonymousBytes } from '../../helpers/memory/process-memory.ts';
import { untilIdle } from '../../helpers/process/metrics.ts';

const type = { 'content-type': 'multipart/form-data; boundary=b' };
const accept = { 'content-type': 'application/json', accept: 'multipart/mixed' };
const BLOCK_BYTES = 8_994_816;
const mebibyte = 1 << 20;
const run = promisify(execFile);

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
    const parts = readMixed(answer.headers['content-type'] as string, answer.body);
    const last = parts.pop();
    assert.equal(last?.headers['content-type'], 'application/json');
    const failed = parts.filter(({ headers }) => headers['memcache-status'] !== '200').length;
    assert.deepEqual(JSON.parse(last.body.toString()), { failed });
    if (answer.headers['batch-failed'] !== undefined) {
      assert.equal(answer.headers['batch-failed'], String(failed));
    }
    return parts;
  }

  describe('a multipart body', () => {
    it('is put and read, every part as bytes', async () => {
      const stem = randomUUID();
      const sizes = [1, 2, 100, 65_535, 65_536, 65_537, 131_073, 3 * mebibyte];
      const values = sizes.map((size, i) => [`${stem}/é ${i}`, randomBytes(size)] as const);
      for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
        for (const sized of [false, true]) {
          const form = values.map(([key, bytes]) => {
            const head = sized ? `Content-Length: ${bytes.length}\r\n` : '';
            return [key, bytes, head] as const;
          });
          const keys = values.map(([key]) => key);
          assert.deepEqual(
            reported(await put(formOf('b', form), '', headers)),
            keys.map((key) => [key, 201, 0]),
          );
          const parts = await get([...keys, ...keys]);
          for (const [i, part] of parts.entries()) {
            const [key, bytes] = values[i % values.length] as (typeof values)[number];
            assert.ok(part.body.equals(bytes), `part ${i}`);
            assert.equal(part.headers['content-location'], `/v1/objects/${encodeURI(key)}`);
            assert.equal(part.headers['memcache-code'], '0');
          }
          await batch('remove', { keys });
        }
      }
      await untilIdle(gateway().url);
    });

    it('is accepted from curl and fetch', async () => {
      const folder = mkdtempSync(path.join(tmpdir(), 'form-'));
      const key = randomUUID();
      writeFileSync(path.join(folder, 'a'), 'from a file\r\n--b');
      const url = `${gateway().url}/v1/batch/put`;
      const fields = ['-F', `${key}/1=@a`, '-F', `${key}/2=as text`, '-F', `${key}/"3=x`];
      const { stdout } = await run('curl', ['-sS', ...fields, url], { cwd: folder });
      rmSync(folder, { recursive: true });
      assert.deepEqual(reported(JSON.parse(stdout) as BatchAnswer), [
        [`${key}/1`, 201, 0],
        [`${key}/2`, 201, 0],
        [`${key}/"3`, 201, 0],
      ]);
      const form = new FormData();
      form.append(`${key}/4"`, new Blob([Buffer.from([0, 255, 13, 10])]), 'name');
      form.append(`${key}/5`, 'é');
      const response = await fetch(url, { method: 'POST', body: form });
      assert.equal(((await response.json()) as BatchAnswer).failed, 0);
      const parts = await get([1, 2, '"3', '4"', 5].map((end) => `${key}/${end}`));
      assert.deepEqual(
        parts.map(({ body }) => body.toString('latin1')),
        ['from a file\r\n--b', 'as text', 'x', '\x00\xff\r\n', 'Ã©'],
      );
    });

    it('has its options in the query, and fails part by part', async () => {
      const [a, b, c, d] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
      await put(formOf('b', [[a, Buffer.from('old')]]));
      const form = formOf('b', [
        [a, Buffer.from('new')],
        [b, Buffer.alloc(0)],
        [c, Buffer.alloc(10 * mebibyte + 1)],
        [d, Buffer.alloc(16 * mebibyte + 1), `Content-Length: ${16 * mebibyte + 1}\r\n`],
        [a, Buffer.from('newest')],
      ]);
      assert.deepEqual(reported(await put(form, '?ifExists=keep')), [
        [a, 200, -3006],
        [b, 422, null],
        [c, 413, null],
        [d, 413, null],
        [a, 409, null],
      ]);
      assert.equal((await value(a)).toString(), 'old');
      await refused('put?x=1', form, 400, 'invalid-parameter', type);
      await untilIdle(gateway().url);
    });

    it('reports a missing object in its own part', async () => {
      const key = await store('there');
      const parts = await get(['no/é', key, 'no/2']);
      assert.deepEqual(
        parts.map(({ headers }) => [headers['memcache-status'], headers['memcache-code']]),
        [
          ['404', '-3102'],
          ['200', '0'],
          ['404', '-3102'],
        ],
      );
      assert.equal(parts[0]?.headers['content-type'], 'application/problem+json');
      const problem = JSON.parse(parts[0].body.toString()) as Record<string, unknown>;
      assert.equal(problem['type'], '/problems/object-not-found');
      assert.equal(problem['instance'], '/v1/objects/no/%C3%A9');
      assert.deepEqual(await get([]), []);
    });
  });

  describe('a malformed multipart body', () => {
    const good = formOf('b', [['k', Buffer.from('v')]]);
    const headless = Buffer.from('--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n');
    const cases: [string, Uint8Array | string, RegExp][] = [
      ['no bytes', '', /ends before/],
      ['no delimiter', 'hello', /ends before/],
      ['no end', good.subarray(0, -6), /ends before|cut off/],
      ['a part without a name', headless, /name/],
      [
        'a part that is not form-data',
        '--b\r\nContent-Disposition: inline; name="a"\r\n\r\nx\r\n--b--',
        /name/,
      ],
      ['a part without headers', '--b\r\n\r\nx\r\n--b--\r\n', /name|headers/],
      ['a part cut off in its headers', '--b\r\nContent-Disp\r\n--b--\r\n', /headers/],
      [
        'more than 16 KiB of headers in a part',
        formOf('b', [['k', Buffer.from('v'), `X: ${'a'.repeat(16_384)}\r\n`]]),
        /more than 16384 bytes of headers/,
      ],
      [
        'more than 64 headers in a part',
        formOf('b', [['k', Buffer.from('v'), 'X: a\r\n'.repeat(64)]]),
        /more than 64 headers/,
      ],
      [
        'a length that is too small',
        formOf('b', [['k', Buffer.from('abc'), 'Content-Length: 2\r\n']]),
        /Content-Length/,
      ],
      [
        'a length that is too large',
        formOf('b', [['k', Buffer.from('abc'), 'Content-Length: 4\r\n']]),
        /Content-Length/,
      ],
      [
        'an invalid length',
        formOf('b', [['k', Buffer.from('abc'), 'Content-Length: x\r\n']]),
        /not a number/,
      ],
      [
        'a name that is not UTF-8',
        Buffer.from(
          '--b\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n--b--\r\n',
          'latin1',
        ),
        /UTF-8/,
      ],
    ];
    for (const [name, body, complaint] of cases) {
      it(`with ${name} is refused with that reason`, async () => {
        assert.match(await refused('put', body, 400, 'invalid-body', type), complaint);
        await untilIdle(gateway().url);
      });
    }

    it('is refused for invalid keys, too many parts and an invalid boundary', async () => {
      for (const key of ['', 'x'.repeat(256), 'y'.repeat(20_000), 'a\u007f']) {
        const form = formOf('b', [[key, Buffer.from('v')]]);
        const slug = key.length > 16_000 ? 'invalid-body' : 'invalid-key';
        await refused('put', form, 400, slug, type);
      }
      const parts = (count: number) =>
        formOf(
          'b',
          Array.from({ length: count }, (_, i) => [`p${i}`, Buffer.alloc(0)] as const),
        );
      assert.equal((await put(parts(MOST_KEYS))).failed, MOST_KEYS);
      await refused('put', parts(MOST_KEYS + 1), 413, 'batch-too-large', type);
      for (const more of ['', '; boundary=""', `; boundary=${'b'.repeat(71)}`]) {
        const headers = { 'content-type': `multipart/form-data${more}` };
        await refused('put', good, 400, 'invalid-body', headers);
      }
      await untilIdle(gateway().url);
    });
  });

  describe('a batch that is larger than the arena', () => {
    it('is stored and read in order, with bounded memory', { timeout: 100_000 }, async () => {
      const count = 24;
      const stem = randomUUID();
      const keys = Array.from({ length: count }, (_, i) => `${stem}/${i}`);
      const blockOf = (i: number) => Buffer.alloc(BLOCK_BYTES, `${i}, `);
      const before = anonymousBytes(gateway().workerPid());
      const assertBounded = () =>
        assert.ok(anonymousBytes(gateway().workerPid()) < before + (32 + 150) * mebibyte);
      let reads = 0;
      const chunks = function* () {
        for (const [i, key] of keys.entries()) {
          yield Buffer.from(`--b\r\nContent-Disposition: form-data; name="${key}"\r\n\r\n`);
          yield blockOf(i);
          yield Buffer.from('\r\n');
        }
        yield Buffer.from('--b--\r\n');
      };
      const answer: Buffer[] = [];
      await stream('put', type, chunks(), (chunk) => {
        answer.push(chunk);
      });
      assertBounded();
      assert.equal((JSON.parse(Buffer.concat(answer).toString()) as BatchAnswer).failed, 0);
      let bytes = 0;
      await stream('get', accept, [Buffer.from(JSON.stringify({ keys }))], (chunk) => {
        bytes += chunk.length;
        reads += 1;
        if (reads % 16 === 0) assertBounded();
      });
      assert.ok(bytes > count * BLOCK_BYTES);
      // Compare the stored values one at a time.
      for (const [i, key] of keys.entries()) {
        if (i % 20 === 0) assert.ok((await value(key)).equals(blockOf(i)));
      }
      assert.equal((await batch('remove', { keys })).failed, 0);
      await untilIdle(gateway().url);
    });
  });

  /** Sends a request whose body is produced while it is sent. */
  function stream(
    operation: string,
    headers: Record<string, string>,
    body: Iterable<Buffer>,
    take: (chunk: Buffer) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const target = `/v1/batch/${operation}`;
      const options = { port: gateway().port, method: 'POST', path: target, agent: false };
      const request = httpRequest({ ...options, headers }, (response) => {
        response.on('data', take);
        response.on('error', reject);
        response.on('end', () => resolve());
      });
      request.on('error', reject);
      const chunks = body[Symbol.iterator]();
      const send = (): void => {
        const next = chunks.next();
        if (next.done === true) request.end();
        else request.write(next.value, () => send());
      };
      send();
    });
  }
});

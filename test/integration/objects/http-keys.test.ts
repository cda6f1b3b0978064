import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeKey } from '../../../src/http/request/target.ts';
import { keyOfBytes, keys } from '../../helpers/bodies/keys.ts';
import { smallLimits, withSharedGateway } from '../../helpers/http/lanes.ts';
import { requestTo } from '../../helpers/http/requests.ts';

/** The time limit of the suite allows some dozens of random cases each; the unit tests run thousands. */
const runs = { numRuns: 60 };

withSharedGateway(smallLimits, (gateway) => {
  const { request, problem, store, value } = requestTo(gateway);

  describe('keys', () => {
    it('of any characters name the same object in every operation', async () => {
      await fc.assert(
        fc.asyncProperty(keys(), async (key) => {
          const path = encodeKey(key);
          // `.` and `..` reach the gateway too: this client sends paths unchanged.
          const body = `the value of ${path}`;
          const created = await request('PUT', `${path}?ifExists=replace`, { body });
          assert.ok([200, 201].includes(created.status));
          assert.equal((await value(key)).toString(), body, 'as the client reads it');
          const info = await request('GET', path, {}, 'info');
          assert.equal((JSON.parse(info.body.toString()) as { key: string }).key, key);
          assert.equal((await request('HEAD', path)).status, 200);
          assert.equal((await request('DELETE', path)).status, 204);
          await problem('GET', path, 404, 'object-not-found');
        }),
        runs,
      );
    });

    it('are returned in Location so that a URL library finds the object', async () => {
      await fc.assert(
        fc.asyncProperty(
          keys().filter((key) => key !== '.' && key !== '..'),
          async (key) => {
            await request('DELETE', encodeKey(key));
            const { status, headers } = await request('PUT', encodeKey(key), { body: 'x' });
            assert.equal(status, 201);
            const { pathname } = new URL(String(headers['location']), gateway().url);
            assert.equal((await request('GET', '', {}, pathname as '/')).status, 200, pathname);
          },
        ),
        runs,
      );
    });

    it('have 1 to 255 bytes, and get 400 with 0 or 256', async () => {
      for (const unit of ['k', 'é', '😀']) {
        for (const bytes of [1, 254, 255]) {
          const path = encodeKey(keyOfBytes(bytes, unit));
          assert.equal(
            (await request('PUT', `${path}?ifExists=replace`, { body: 'x' })).status < 300,
            true,
          );
          assert.equal((await request('DELETE', path)).status, 204);
        }
        const long = encodeKey(keyOfBytes(256, unit));
        for (const method of ['GET', 'DELETE']) await problem(method, long, 400, 'invalid-key');
        await problem('PUT', long, 400, 'invalid-key', { body: 'x' });
        await problem('GET', long, 400, 'invalid-key', {}, 'info');
      }
      await problem('GET', '', 400, 'invalid-key');
      await problem('PUT', '', 400, 'invalid-key', { body: 'x' });
    });

    it('are the same with raw and encoded slashes, and with needless escapes', async () => {
      await request('PUT', 'a/b//c', { body: 'x' });
      for (const path of ['a/b//c', 'a%2Fb%2f%2Fc', '%61/%62//%63']) {
        assert.equal((await request('GET', path)).body.toString(), 'x', path);
      }
      for (const path of ['a/b/c', 'A/b//c', 'a/b//c/', '/a/b//c']) {
        await problem('GET', path, 404, 'object-not-found');
      }
      await request('DELETE', 'a/b//c');
    });

    it('may consist of dots and slashes, which the gateway does not resolve', async () => {
      const paths = ['.', '..', '../..', './a', 'a/..', '/', '//', '/a', '%2E%2E', '%2e/x'];
      const read = async (path: string) => (await request('GET', path)).body.toString();
      for (const path of paths) {
        await request('PUT', `${path}?ifExists=replace`, { body: path });
        assert.equal(await read(path), path);
      }
      assert.equal(await read('%2e.'), '%2E%2E');
      for (const path of paths) await request('DELETE', path);
    });

    it('get 400 with raw bytes beyond ASCII, since those are not valid HTTP', async () => {
      const raw = `/v1/objects/${Buffer.from('ключ').toString('latin1')}` as const;
      await problem('GET', '', 400, 'malformed-request', {}, raw);
    });

    it('get 400 with control bytes, with invalid UTF-8 and with bad escapes', async () => {
      const control = ['%00', 'a%0Ab', '%1f', '%7F', 'a%0d%0aX-Evil:%201'];
      const bad = [
        '%ff',
        '%C0%AF',
        '%E0%80%AF',
        '%ED%A0%80',
        '%ED%B0%80',
        '%F4%90%80%80',
        '%E2%82',
      ];
      for (const path of [...control, ...bad, '%', '%4', 'a%zz', 'a#b']) {
        await problem('GET', path, 400, 'invalid-key');
        await problem('PUT', path, 400, 'invalid-key', { body: 'x' });
        await problem('DELETE', path, 400, 'invalid-key');
        await problem('GET', path, 400, 'invalid-key', {}, 'info');
        assert.equal((await request('HEAD', path)).status, 400);
      }
    });
  });

  describe('ranges', () => {
    const object = Buffer.from(Array.from({ length: 1000 }, (_, at) => (at * 7) % 256));

    it('select the same bytes as the reference implementation', async () => {
      const key = await store(object);
      const position = fc.oneof(fc.nat({ max: 1100 }), fc.constantFrom(0, 1, 998, 999, 1000, 1e20));
      const part = fc.option(
        position.map((at) => BigInt(at).toString()),
        { nil: '' },
      );
      await fc.assert(
        fc.asyncProperty(part, part, async (first, last) => {
          const range = `bytes=${first}-${last}`;
          const answer = await request('GET', key, { headers: { range } });
          const expected = cut(first, last);
          if (expected === 'whole') {
            assert.equal(answer.status, 200, range);
            assert.ok(answer.body.equals(object));
          } else if (expected === undefined) {
            assert.equal(answer.status, 416, range);
            assert.equal(answer.headers['content-range'], 'bytes */1000');
          } else {
            const [from, to] = expected;
            assert.equal(answer.status, 206, range);
            assert.equal(answer.headers['content-range'], `bytes ${from}-${to}/1000`);
            assert.ok(answer.body.equals(object.subarray(from, to + 1)));
          }
        }),
        { numRuns: 120 },
      );
    });

    /** First and last byte by RFC 9110 §14.1.2; undefined when there are none. */
    function cut(first: string, last: string): [number, number] | 'whole' | undefined {
      if (first === '' && last === '') return 'whole';
      if (first === '') return last === '0' ? undefined : [Math.max(0, 1000 - Number(last)), 999];
      if (last !== '' && BigInt(last) < BigInt(first)) return 'whole';
      if (Number(first) > 999) return undefined;
      return [Number(first), last === '' ? 999 : Math.min(999, Number(last))];
    }

    it('are ignored when there are several, with another unit, and with If-Range', async () => {
      const key = await store(object);
      for (const headers of [
        { range: 'bytes=0-1,5-6' },
        { range: 'lines=0-1' },
        { range: 'nonsense' },
        { range: 'bytes=0-1', 'if-range': '"a"' },
        { range: 'bytes=0-1', 'if-range': 'Wed, 21 Oct 2026 07:28:00 GMT' },
        { range: 'bytes=5000-', 'if-range': '"a"' },
      ] as Record<string, string>[]) {
        const answer = await request('GET', key, { headers });
        assert.equal(answer.status, 200, JSON.stringify(headers));
        assert.ok(answer.body.equals(object));
      }
    });

    it('apply to GET only', async () => {
      const key = await store(object);
      const headers = { range: 'bytes=0-1' };
      const head = await request('HEAD', key, { headers });
      assert.deepEqual([head.status, head.headers['content-length']], [200, '1000']);
      assert.equal((await request('DELETE', key, { headers })).status, 204);
    });

    it('of large objects are exact', async () => {
      const large = Buffer.alloc(3 << 20, 'a large value ');
      const key = await store(large);
      const edges = [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, large.length - 1];
      for (const from of edges) {
        for (const to of edges.filter((edge) => edge >= from)) {
          const headers = { range: `bytes=${from}-${to}` };
          const { status, body } = await request('GET', key, { headers });
          assert.equal(status, 206);
          assert.ok(body.equals(large.subarray(from, to + 1)), headers.range);
        }
      }
    });
  });
});

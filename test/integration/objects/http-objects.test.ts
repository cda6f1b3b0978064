import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { smallLimits, withSharedGateway } from '../../helpers/http/lanes.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { defaultEngine } from '../../helpers/process/gateway.ts';
import { untilIdle } from '../../helpers/process/metrics.ts';

const mebibyte = 1 << 20;

const sha = (algorithm: 'sha256' | 'sha512', bytes: Uint8Array): string => {
  const name = algorithm === 'sha256' ? 'sha-256' : 'sha-512';
  return `${name}=:${createHash(algorithm).update(bytes).digest('base64')}:`;
};

withSharedGateway(smallLimits, (gateway) => {
  const { request, problem, store, value, newKey } = requestTo(gateway);

  describe('an object', () => {
    it('is put, read, inspected and removed', async () => {
      const key = newKey('kv/block 7');
      const created = await request('PUT', key, { body: 'hello' });
      assert.equal(created.status, 201);
      assert.equal(created.headers['memcache-outcome'], 'created');
      const location = `/v1/objects/${key.replaceAll(' ', '%20')}`;
      assert.equal(created.headers['location'], location);
      assert.equal((await request('GET', key)).body.toString(), 'hello');
      const head = await request('HEAD', key);
      assert.equal(head.status, 200);
      assert.equal(head.headers['content-length'], '5');
      assert.equal(head.headers['memcache-replicas'], '0;medium=DRAM');
      const replicas = [{ serviceId: 0, medium: 'DRAM' }];
      assert.deepEqual(JSON.parse((await request('GET', key, {}, 'info')).body.toString()), {
        key,
        size: 5,
        replicas,
      });
      assert.equal((await request('HEAD', key, {}, 'info')).status, 200);
      assert.equal((await request('DELETE', key)).status, 204);
      for (const method of ['GET', 'DELETE']) await problem(method, key, 404, 'object-not-found');
      assert.equal((await request('HEAD', key)).status, 404);
      await problem('GET', key, 404, 'object-not-found', {}, 'info');
    });

    it('is returned whole at every size where the path of its bytes changes', async () => {
      const edges = [1, 2, 14 * 1024, 16 * 1024, 64 * 1024, 128 * 1024, mebibyte, 4 * mebibyte];
      for (const size of [...edges.flatMap((edge) => [edge - 1, edge, edge + 1]), 8 * mebibyte]) {
        if (size === 0) continue;
        const bytes = randomBytes(size);
        const key = newKey('size');
        for (const headers of size <= mebibyte ? [{}, { 'transfer-encoding': 'chunked' }] : [{}]) {
          assert.equal((await request('PUT', key, { body: bytes, headers })).status, 201);
          assert.ok((await value(key)).equals(bytes), `${size} bytes`);
          assert.equal((await request('DELETE', key)).status, 204);
        }
      }
      await untilIdle(gateway().url);
    });

    it('is not overwritten: a second PUT gets 409 and leaves the value unchanged', async () => {
      const key = await store('first');
      await problem('PUT', key, 409, 'object-exists', { body: 'second' });
      await problem('PUT', `${key}?ifExists=fail`, 409, 'object-exists', { body: 'second' });
      assert.equal((await value(key)).toString(), 'first');
    });

    it('is kept or replaced by ifExists, and the response says which', async () => {
      const key = newKey('outcome');
      const outcome = async (ifExists: string, body: string) => {
        const { status, headers } = await request('PUT', `${key}?ifExists=${ifExists}`, { body });
        return [status, headers['memcache-outcome'], (await value(key)).toString()];
      };
      assert.deepEqual(await outcome('keep', 'a'), [201, 'created', 'a']);
      assert.deepEqual(await outcome('keep', 'b'), [200, 'kept', 'a']);
      assert.deepEqual(await outcome('replace', 'longer'), [200, 'replaced', 'longer']);
      await request('DELETE', key);
      assert.deepEqual(await outcome('replace', 'd'), [201, 'created', 'd']);
    });
  });

  describe('the options of a PUT', () => {
    it('place the object, or get 422 when the placement is impossible', async () => {
      const { serviceId } = JSON.parse(
        (await request('GET', '', {}, '/readyz')).body.toString(),
      ) as { serviceId: number };
      for (const query of ['replicas=1', `prefer=${serviceId}`, `replicas=1&prefer=${serviceId}`]) {
        const key = newKey('place');
        assert.equal((await request('PUT', `${key}?${query}`, { body: 'x' })).status, 201, query);
      }
      for (const query of ['replicas=2', 'replicas=8', 'prefer=4711', 'replicas=2&prefer=0']) {
        const key = newKey('place');
        const { json } = await problem('PUT', `${key}?${query}`, 422, 'placement-impossible', {
          body: 'x',
        });
        assert.equal(json['code'], -1, query);
        await problem('GET', key, 404, 'object-not-found');
      }
    });

    it('get 400 beyond their limits, misspelt, repeated and malformed', async () => {
      const wrong = ['replicas=0', 'replicas=9', 'replicas=x', 'replicas=', 'prefer=-1', 'prefer='];
      const combined = [
        'prefer=0,1',
        'replicas=2&prefer=1,1',
        'replicas=1&replicas=1',
        'replica=1',
      ];
      for (const query of [...wrong, ...combined, 'ifExists=no', 'ifexists=keep', 'x=%', '%zz']) {
        const key = newKey('option');
        await problem('PUT', `${key}?${query}`, 400, 'invalid-parameter', { body: 'x' });
        await problem('GET', key, 404, 'object-not-found');
      }
      for (const method of ['GET', 'DELETE']) {
        await problem(method, 'a?replicas=1', 400, 'invalid-parameter');
      }
      assert.equal((await request('HEAD', 'a?x')).status, 400);
      await problem('GET', 'a?x', 400, 'invalid-parameter', {}, 'info');
    });
  });

  describe('the size of a body', () => {
    it('may be the limit, and one byte more gets 413, which names the limit', async () => {
      const bytes = randomBytes(8 * mebibyte);
      const key = newKey('limit');
      assert.equal((await request('PUT', key, { body: bytes })).status, 201);
      await request('DELETE', key);
      const { json } = await problem('PUT', key, 413, 'object-too-large', {
        body: Buffer.concat([bytes, Buffer.of(0)]),
      });
      assert.equal(json['limitBytes'], 8 * mebibyte);
    });

    it('may be the lower limit without a Content-Length, and one byte more gets 413', async () => {
      const headers = { 'transfer-encoding': 'chunked' };
      const bytes = randomBytes(mebibyte + 1);
      const key = newKey('unsized');
      const { json } = await problem('PUT', key, 413, 'unsized-body-too-large', {
        body: bytes,
        headers,
      });
      assert.equal(json['limitBytes'], mebibyte);
      await problem('GET', key, 404, 'object-not-found');
      const most = bytes.subarray(1);
      assert.equal((await request('PUT', key, { body: most, headers })).status, 201);
      assert.ok((await value(key)).equals(most));
      await untilIdle(gateway().url);
    });

    it('is refused when the replicas can never fit into the pool', async () => {
      const body = Buffer.alloc(8 * mebibyte);
      const resource = `${newKey('pool')}?replicas=8`;
      // Only the embedded engine reports how large the pool can become.
      if (defaultEngine === 'embedded')
        await problem('PUT', resource, 413, 'pool-too-small', { body });
      else await problem('PUT', resource, 422, 'placement-impossible', { body });
    });

    it('gets 422 when it is zero', async () => {
      const nothing = [{ 'content-length': '0' }, { 'transfer-encoding': 'chunked' }];
      for (const headers of nothing) {
        const key = newKey('empty');
        await problem('PUT', key, 422, 'empty-object', { headers });
        await problem('GET', key, 404, 'object-not-found');
      }
    });
  });

  describe('the headers of a body', () => {
    it('may name any Content-Type, or the identity coding', async () => {
      for (const headers of [
        { 'content-type': 'text/html' },
        { 'content-type': 'nonsense' },
        { 'content-encoding': 'Identity' },
      ]) {
        const key = newKey('typed');
        assert.equal((await request('PUT', key, { body: '<b>', headers })).status, 201);
        const { headers: answer } = await request('GET', key);
        assert.equal(answer['content-type'], 'application/octet-stream');
        assert.equal(answer['x-content-type-options'], 'nosniff');
      }
    });

    it('may not name another coding, nor a range', async () => {
      for (const coding of ['gzip', 'br', 'gzip, identity', 'aws-chunked', '']) {
        await problem('PUT', newKey('coded'), 415, 'unsupported-content-coding', {
          body: 'x',
          headers: { 'content-encoding': coding },
        });
      }
      await problem('PUT', newKey('part'), 400, 'invalid-parameter', {
        body: 'x',
        headers: { 'content-range': 'bytes 0-0/2' },
      });
    });

    it('may carry a digest, which is verified, and a mismatch stores nothing', async () => {
      const bytes = randomBytes(100_000);
      const right = [sha('sha256', bytes), sha('sha512', bytes)];
      for (const encoding of [{}, { 'transfer-encoding': 'chunked' }]) {
        for (const digest of [...right, right.join(', '), `md5=:AAAA:, ${right[0]}`]) {
          const headers = { 'content-digest': digest, ...encoding };
          const key = newKey('digest');
          assert.equal((await request('PUT', key, { body: bytes, headers })).status, 201);
        }
        const wrong = sha('sha256', Buffer.from('other'));
        for (const digest of [wrong, `${right[1]}, ${wrong}`]) {
          const headers = { 'content-digest': digest, ...encoding };
          const key = newKey('digest');
          await problem('PUT', key, 400, 'digest-mismatch', { body: bytes, headers });
          await problem('GET', key, 404, 'object-not-found');
        }
      }
      await untilIdle(gateway().url);
    });

    it('get 400 with a digest that cannot be verified', async () => {
      for (const digest of ['', 'nonsense', 'md5=:1B2M2Y8AsgTpgAmY7PhCfg==:', 'sha-256=:AA==:']) {
        const headers = { 'content-digest': digest };
        await problem('PUT', newKey('digest'), 400, 'invalid-parameter', { body: 'x', headers });
      }
    });

    it('leave the old object unchanged when the digest of a replacement does not match', async () => {
      const key = await store('old');
      const headers = { 'content-digest': sha('sha256', Buffer.from('other')) };
      const options = { body: 'new', headers };
      await problem('PUT', `${key}?ifExists=replace`, 400, 'digest-mismatch', options);
      assert.equal((await value(key)).toString(), 'old');
    });
  });

  describe('Want-Repr-Digest', () => {
    it('adds the digest of the whole object to the response, also to that of a range', async () => {
      const bytes = randomBytes(3 * mebibyte + 1);
      const key = await store(bytes);
      for (const [want, expected] of [
        ['sha-256=1', sha('sha256', bytes)],
        ['sha-256=1, sha-512=2', sha('sha512', bytes)],
        ['md5=9', undefined],
        ['(((', undefined],
      ] as const) {
        const headers = { 'want-repr-digest': want };
        const whole = await request('GET', key, { headers });
        assert.equal(whole.headers['repr-digest'], expected);
        assert.ok(whole.body.equals(bytes));
        const part = await request('GET', key, { headers: { ...headers, range: 'bytes=-2' } });
        assert.equal(part.status, 206);
        assert.equal(part.headers['repr-digest'], expected);
      }
      const past = { 'want-repr-digest': 'sha-256=1', range: `bytes=${bytes.length}-` };
      await problem('GET', key, 416, 'range-not-satisfiable', { headers: past });
      await untilIdle(gateway().url);
    });
  });

  describe('conditions', () => {
    const none = { 'if-none-match': '*' };
    const any = { 'if-match': '*' };
    const tag = { 'if-match': '"a"' };
    const noTag = { 'if-none-match': '"a", W/"b"' };

    it('depend on the existence of the object, for each method as in RFC 9110', async () => {
      const table: [headers: Record<string, string>, absent: number[], present: number[]][] = [
        // In the order GET, HEAD, DELETE, PUT with ifExists=replace.
        [none, [404, 404, 404, 201], [304, 304, 412, 412]],
        [any, [412, 412, 412, 412], [200, 200, 204, 200]],
        [tag, [412, 412, 412, 412], [412, 412, 412, 412]],
        [noTag, [404, 404, 404, 201], [200, 200, 204, 200]],
      ];
      for (const [headers, absent, present] of table) {
        for (const [i, method] of ['GET', 'HEAD', 'DELETE', 'PUT'].entries()) {
          const query = method === 'PUT' ? '?ifExists=replace' : '';
          const body = method === 'PUT' ? { body: 'new' } : {};
          const label = `${method} ${JSON.stringify(headers)}`;
          const missing = await request(method, newKey('none') + query, { headers, ...body });
          assert.equal(missing.status, absent[i], `${label} without an object`);
          const there = await request(method, (await store('old')) + query, { headers, ...body });
          assert.equal(there.status, present[i], `${label} with an object`);
        }
      }
    });

    it('are checked before ifExists: If-None-Match: * fails even with ifExists=keep', async () => {
      const key = await store('old');
      for (const ifExists of ['fail', 'keep', 'replace']) {
        const options = { body: 'new', headers: none };
        await problem('PUT', `${key}?ifExists=${ifExists}`, 412, 'precondition-failed', options);
      }
      assert.equal((await value(key)).toString(), 'old');
    });

    it('let exactly one of many concurrent conditional PUTs create the object', async () => {
      const key = newKey('race');
      const bodies = Array.from({ length: 24 }, () => randomUUID());
      const answers = await Promise.all(
        bodies.map((body) => request('PUT', key, { body, headers: none })),
      );
      const statuses = answers.map(({ status }) => status).sort();
      assert.deepEqual(statuses, [201, ...Array<number>(23).fill(412)]);
      const winner = bodies[answers.findIndex(({ status }) => status === 201)];
      assert.equal((await value(key)).toString(), winner);
    });
  });

  describe('Accept', () => {
    it('must include the type of the response, otherwise the request gets 406', async () => {
      const key = await store('x');
      for (const accept of [
        '*/*',
        'application/*',
        'image/png, */*;q=0.1',
        'application/octet-stream',
      ]) {
        assert.equal((await request('GET', key, { headers: { accept } })).status, 200, accept);
      }
      for (const accept of ['text/html', 'application/json', '*/*;q=0']) {
        await problem('GET', key, 406, 'not-acceptable', { headers: { accept } });
        assert.equal((await request('HEAD', key, { headers: { accept } })).status, 406);
      }
      const json = { headers: { accept: 'application/json' } };
      assert.equal((await request('GET', key, json, 'info')).status, 200);
      const bytes = { headers: { accept: 'application/octet-stream' } };
      await problem('GET', key, 406, 'not-acceptable', bytes, 'info');
    });
  });

  describe('methods', () => {
    it('that a resource does not have get 405, and Allow names the others', async () => {
      for (const method of ['POST', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'M-SEARCH']) {
        const object = await problem(method, 'a', 405, 'method-not-allowed');
        assert.equal(object.headers['allow'], 'GET, HEAD, PUT, DELETE');
        const info = await problem(method, 'a', 405, 'method-not-allowed', {}, 'info');
        assert.equal(info.headers['allow'], 'GET, HEAD');
        const probe = await problem(method, '', 405, 'method-not-allowed', {}, '/livez');
        assert.equal(probe.headers['allow'], 'GET, HEAD');
      }
      for (const method of ['PUT', 'DELETE']) {
        const options = { body: 'x', headers: { 'content-length': '1' } };
        await problem(method, 'a', 405, 'method-not-allowed', options, 'info');
      }
    });

    it('that take no body get 400 with one', async () => {
      for (const method of ['GET', 'DELETE']) {
        const headers = { 'content-length': '1' };
        await problem(method, 'a', 400, 'invalid-parameter', { body: 'x', headers });
      }
      const empty = { headers: { 'content-length': '0' } };
      await problem('GET', 'a', 404, 'object-not-found', empty);
    });
  });

  it('responds to unknown paths with 404 as a problem', async () => {
    for (const path of [
      '/none',
      '/v1',
      '/v1/objects',
      '/V1/objects/a',
      '/v1/Objects/a',
      '/v2/x?y',
    ] as const) {
      await problem('GET', '', 404, 'no-such-resource', {}, path);
    }
    for (const path of [
      '//',
      '//v1/objects/a',
      '/v1//objects/a',
      '/livez/',
      '/LIVEZ',
      '/%zz',
    ] as const) {
      await problem('GET', '', 404, 'no-such-resource', {}, path);
    }
  });
});

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { safetensorsOf } from '../../helpers/bodies/safetensors.ts';
import { smallLimits, withSharedGateway } from '../../helpers/http/lanes.ts';
import { chunked, onConnection, requestHead, slugOf } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { untilIdle } from '../../helpers/process/metrics.ts';

const KIB = 1024;
const MIB = KIB * KIB;
/** A batch with a digest may take a quarter of the arena. */
const limits = { held: 8 * MIB, unsized: MIB };

type Body = Buffer | string;
const digest = (body: Body, algorithm = 'sha-256'): string => {
  const hash = createHash(algorithm.replace('-', '')).update(body).digest('base64');
  return `${algorithm}=:${hash}:`;
};

const JSON_BODY = { 'content-type': 'application/json' };
const FORM = { 'content-type': 'multipart/form-data; boundary=X' };
const TENSORS = { 'content-type': 'application/vnd.safetensors' };
const part = (name: string, value: Body): Buffer =>
  Buffer.concat([
    Buffer.from(`--X\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`),
    Buffer.from(value),
    Buffer.from('\r\n'),
  ]);
const form = (...parts: Buffer[]): Buffer => Buffer.concat([...parts, Buffer.from('--X--\r\n')]);

interface Case {
  readonly name: string;
  readonly method: 'PUT' | 'POST';
  readonly path: (key: string) => string;
  readonly headers: Record<string, string>;
  readonly body: (key: string) => Body;
}
const batch = (operation: string, headers: Record<string, string>, body: Case['body']): Case => ({
  ...{ name: `batch ${operation} ${headers['content-type']}`, method: 'POST' },
  ...{ path: () => `/v1/batch/${operation}`, headers, body },
});
const layers = (headers: Record<string, string>, body: Body): Case => ({
  ...{ name: `layers ${headers['content-type']}`, method: 'PUT', headers, body: () => body },
  path: (key) => `/v1/layers/${key}`,
});
const keys = (key: string): string => JSON.stringify({ keys: [key] });

const stores: readonly Case[] = [
  {
    ...{ name: 'object', method: 'PUT', headers: {}, body: () => 'abc' },
    path: (key) => `/v1/objects/${key}`,
  },
  layers(TENSORS, safetensorsOf([['0', Buffer.from('abc')]])),
  layers(FORM, form(part('0', 'abc'))),
  layers(JSON_BODY, '{"layers":["YWJj"]}'),
  batch('put', JSON_BODY, (key) => JSON.stringify({ items: [{ key, value: 'YWJj' }] })),
  batch('put', TENSORS, (key) => safetensorsOf([[key, Buffer.from('abc')]])),
  batch('put', FORM, (key) => form(part(key, 'abc'))),
];
const others: readonly Case[] = ['remove', 'get', 'exists', 'info'].map((operation) =>
  batch(operation, JSON_BODY, keys),
);

withSharedGateway(smallLimits, (gateway) => {
  const { request, problem, value, newKey, store } = requestTo(gateway);

  async function send(what: Case, key: string, contentDigest: string) {
    const headers = { ...what.headers, 'content-digest': contentDigest };
    return request(what.method, '', { headers, body: what.body(key) }, what.path(key) as '/');
  }
  async function refused(what: Case, key: string, contentDigest: string, slug: string) {
    const { status, body } = await send(what, key, contentDigest);
    assert.equal(status, 400, `${what.name} ${contentDigest}: ${body.toString()}`);
    assert.equal((JSON.parse(body.toString()) as { type: string }).type, `/problems/${slug}`);
  }
  const malformed = ['', 'nonsense', 'sha-256=:AA==:', 'sha-512=5'];
  const unknown = 'md5=:1B2M2Y8AsgTpgAmY7PhCfg==:';

  describe('a Content-Digest', () => {
    for (const what of stores) {
      it(`is verified before anything is stored: ${what.name}`, async () => {
        const key = newKey('digest').replaceAll('/', '-');
        const other = digest('other bytes');
        await refused(what, key, other, 'digest-mismatch');
        await refused(what, key, digest('other bytes', 'sha-512'), 'digest-mismatch');
        await refused(
          what,
          key,
          `${digest(what.body(key), 'sha-512')}, ${other}`,
          'digest-mismatch',
        );
        for (const header of [...malformed, unknown]) {
          await refused(what, key, header, 'invalid-parameter');
        }
        assert.equal((await request('HEAD', key)).status, 404);
        const right = `${unknown}, ${digest(what.body(key))}, ${digest(what.body(key), 'sha-512')}`;
        const { status, body } = await send(what, key, right);
        assert.ok(status === 201 || status === 200, `${what.name}: ${status} ${body.toString()}`);
        assert.equal((await value(key)).toString(), 'abc');
      });
    }

    for (const what of stores) {
      it(`prevents a replacement when it does not match: ${what.name}`, async () => {
        const key = newKey('replaced').replaceAll('/', '-');
        assert.equal((await request('PUT', key, { body: 'old' })).status, 201);
        const inBody = what.headers === JSON_BODY && what.method === 'POST';
        const replacing: Case = {
          ...what,
          path: (name) => `${what.path(name)}${inBody ? '' : '?ifExists=replace'}`,
          body: (name) =>
            inBody
              ? JSON.stringify({ items: [{ key: name, value: 'YWJj' }], ifExists: 'replace' })
              : what.body(name),
        };
        await refused(replacing, key, digest('other bytes'), 'digest-mismatch');
        assert.equal((await value(key)).toString(), 'old');
        const { status, body } = await send(replacing, key, digest(replacing.body(key)));
        assert.equal(status, 200, body.toString());
        assert.equal((await value(key)).toString(), 'abc');
      });
    }

    for (const what of others) {
      it(`is verified before the engine is called: ${what.name}`, async () => {
        const key = await store('abc');
        await refused(what, key, digest('other bytes'), 'digest-mismatch');
        for (const header of [...malformed, unknown]) {
          await refused(what, key, header, 'invalid-parameter');
        }
        assert.equal((await value(key)).toString(), 'abc');
        const { status, body } = await send(what, key, digest(what.body(key)));
        assert.equal(status, 200, body.toString());
        assert.match(body.toString(), /"status":20[04],/);
      });
    }

    it('is ignored on a request without a body', async () => {
      const key = await store('abc');
      const headers = { 'content-digest': digest('other bytes') };
      assert.equal((await request('GET', key, { headers })).status, 200);
      assert.equal((await request('DELETE', key, { headers })).status, 204);
    });
  });

  describe('a streamed batch with a Content-Digest', () => {
    const path = '/v1/batch/put';
    /** Returns a form of exactly `bytes` bytes, most of them in values of 1 MiB at most. */
    function formOf(key: string, bytes: number): Buffer {
      const parts: Buffer[] = [];
      let left = bytes - form().length;
      for (let i = 0; left > 0; i++) {
        const frame = part(`${key}-${i}`, '').length;
        const size = Math.min(left - frame, MIB - 2 * frame);
        parts.push(
          part(`${key}-${i}`, Buffer.alloc(left - frame - size > frame ? size : left - frame, 'x')),
        );
        left -= parts.at(-1)?.length ?? 0;
      }
      const body = form(...parts);
      assert.equal(body.length, bytes);
      return body;
    }

    it('is held whole, up to a quarter of the arena', async () => {
      const key = newKey('held').replaceAll('/', '-');
      const body = formOf(key, limits.held);
      const wrong = { headers: { ...FORM, 'content-digest': digest('other') }, body };
      await problem('POST', '', 400, 'digest-mismatch', wrong, path);
      assert.equal((await request('HEAD', `${key}-0`)).status, 404);
      const right = { headers: { ...FORM, 'content-digest': digest(body) }, body };
      const { status, headers } = await request('POST', '', right, path);
      assert.deepEqual([status, headers['batch-failed']], [200, '0']);
      assert.equal((await value(`${key}-3`)).length > 0, true);
      await untilIdle(gateway().url);
    });

    it('is refused before its body is read with one byte more', () =>
      onConnection(gateway().port, async ({ send: write, next }) => {
        const length = limits.held + 1;
        const headers = { ...FORM, 'Content-Digest': digest('x'), 'Content-Length': length };
        write(requestHead('POST', path, { ...headers, Expect: '100-continue' }));
        const answer = await next({ method: 'POST', path });
        assert.equal(answer.status, 400);
        assert.equal(slugOf(answer), 'invalid-parameter');
        assert.match(answer.body.toString(), /more than 8388608 bytes\. Send smaller batches/);
      }));

    it('of unknown length is held up to --unsized-bytes, and refused beyond', async () => {
      const key = newKey('unsized').replaceAll('/', '-');
      for (const [bytes, status] of [
        [limits.unsized, 200],
        [limits.unsized + 1, 400],
      ] as const) {
        const body = formOf(`${key}-${bytes}`, bytes);
        await onConnection(gateway().port, async ({ send: write, next }) => {
          const headers = { ...FORM, 'Content-Digest': digest(body) };
          write(requestHead('POST', path, { ...headers, 'Transfer-Encoding': 'chunked' }));
          write(chunked(body));
          const answer = await next({ method: 'POST', path });
          assert.equal(answer.status, status, answer.body.toString());
        });
        const found = await request('HEAD', `${key}-${bytes}-0`);
        assert.equal(found.status, status === 200 ? 200 : 404);
      }
    });
  });
});

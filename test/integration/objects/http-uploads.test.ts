import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { smallLimits, withSharedGateway } from '../../helpers/http/lanes.ts';
import { chunked, onConnection, requestHead, slugOf } from '../../helpers/http/raw-connection.ts';
import { requestTo } from '../../helpers/http/requests.ts';
import { fetchChecked } from '../../helpers/openapi/openapi.ts';

const run = promisify(execFile);
const newPath = (): string => `/v1/objects/${randomUUID()}`;

withSharedGateway(smallLimits, (gateway) => {
  const { store } = requestTo(gateway);

  describe('a body', () => {
    it('may arrive in chunks of any size, with extensions and trailers', () =>
      onConnection(gateway().port, async ({ send, next }) => {
        const path = newPath();
        send(requestHead('PUT', path, { 'Transfer-Encoding': 'chunked' }));
        send('3;ext=1\r\nabc\r\n00002\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n');
        assert.equal((await next({ method: 'PUT', path })).status, 201);
        send(requestHead('GET', path));
        assert.equal((await next({ path })).body.toString(), 'abcde');
      }));

    it('may arrive one byte at a time', () =>
      onConnection(gateway().port, async ({ send, next, socket }) => {
        const path = newPath();
        for (const body of ['sized', undefined]) {
          const text =
            body === undefined
              ? requestHead('PUT', `${path}?ifExists=keep`, { 'Transfer-Encoding': 'chunked' }) +
                chunked('a', 'b').toString()
              : requestHead('PUT', path, { 'Content-Length': body.length }) + body;
          for (const byte of text) {
            await new Promise<void>((resolve) => void socket.write(byte, () => resolve()));
          }
          const { status } = await next({ method: 'PUT', path });
          assert.equal(status, body === undefined ? 200 : 201);
        }
        send(requestHead('GET', path));
        assert.equal((await next({ path })).body.toString(), 'sized');
      }));

    it('is stored though the client has ended its side', () =>
      onConnection(gateway().port, async ({ send, next, socket, closed }) => {
        const path = newPath();
        send(requestHead('PUT', path, { 'Content-Length': 1 }));
        socket.end('x');
        assert.equal((await next({ method: 'PUT', path })).status, 201);
        assert.deepEqual(await closed(), { reset: false, rest: Buffer.alloc(0) });
      }));

    it('in another transfer coding gets 501', () =>
      onConnection(gateway().port, async ({ send, next, closed }) => {
        const path = newPath();
        send(requestHead('PUT', path, { 'Transfer-Encoding': 'gzip, chunked' }));
        const answer = await next({ method: 'PUT', path });
        assert.equal(answer.status, 501);
        assert.equal(slugOf(answer), 'not-implemented');
        assert.equal(answer.headers['connection'], 'close');
        assert.equal((await closed()).reset, false);
      }));
  });

  describe('Expect: 100-continue', () => {
    const expect = { Expect: '100-continue' };

    it('gets a 100 once the request is admitted, then the response', () =>
      onConnection(gateway().port, async ({ send, next }) => {
        for (const [headers, body] of [
          [{ 'Content-Length': 3 }, 'abc'],
          [{ 'Transfer-Encoding': 'chunked' }, chunked('abc')],
          [{ 'Content-Length': 3, 'If-None-Match': '*' }, 'abc'],
        ] as [Record<string, string>, string | Buffer][]) {
          const path = newPath();
          send(requestHead('PUT', path, { ...headers, ...expect }));
          assert.equal((await next()).status, 100);
          send(body);
          assert.equal((await next({ method: 'PUT', path })).status, 201);
        }
      }));

    it('gets the refusal of the request without a 100, and the connection closes', async () => {
      const existing = `/v1/objects/${await store('x')}`;
      const refusals: [path: string, headers: Record<string, string | number>, status: number][] = [
        [newPath(), { 'Content-Length': 8 * 2 ** 20 + 1 }, 413],
        [existing, { 'Content-Length': 1, 'If-None-Match': '*' }, 412],
        [newPath(), { 'Content-Length': 1, 'If-Match': '*' }, 412],
        [`${newPath()}?replicas=9`, { 'Content-Length': 1 }, 400],
        ['/v1/objects/%ff', { 'Content-Length': 1 }, 400],
        [newPath(), { 'Content-Length': 1, 'Content-Encoding': 'gzip' }, 415],
        [newPath(), { 'Content-Length': 1, 'Content-Range': 'bytes 0-0/1' }, 400],
        [newPath(), { 'Content-Length': 1, 'Content-Digest': 'x' }, 400],
        [newPath(), { 'Content-Length': 1, Host: 'evil.example' }, 403],
        ['/v1/info/a', { 'Content-Length': 1 }, 405],
        ['/nowhere', { 'Content-Length': 1 }, 404],
      ];
      for (const [path, headers, status] of refusals) {
        await onConnection(gateway().port, async ({ send, next, socket, closed }) => {
          send(requestHead('PUT', path, { ...headers, ...expect }));
          const answer = await next({ method: 'PUT', path });
          assert.equal(answer.status, status, path);
          assert.equal(answer.headers['connection'], 'close');
          socket.end();
          assert.equal((await closed()).reset, false);
        });
      }
    });

    it('gets 422 at once for an empty body', () =>
      onConnection(gateway().port, async ({ send, next }) => {
        const path = newPath();
        send(requestHead('PUT', path, { 'Content-Length': 0, ...expect }));
        assert.equal((await next({ method: 'PUT', path })).status, 422);
      }));

    it('is ignored on a request without a body', () =>
      onConnection(gateway().port, async ({ send, next }) => {
        const path = `/v1/objects/${await store('x')}`;
        send(requestHead('GET', path, expect));
        assert.equal((await next({ path })).status, 200);
      }));

    it('is the only expectation, and others get 417', async () => {
      for (const expectation of ['200-ok', '100', 'nonsense']) {
        await onConnection(gateway().port, async ({ send, next }) => {
          const path = newPath();
          send(requestHead('PUT', path, { 'Content-Length': 1, Expect: expectation }));
          const answer = await next({ method: 'PUT', path });
          assert.equal(answer.status, 417, expectation);
          assert.equal(slugOf(answer), 'expectation-failed');
        });
      }
    });
  });

  describe('a refused upload', () => {
    it('gets its response while the client goes on sending, and the connection closes without a reset', () =>
      onConnection(gateway().port, async ({ send, next, socket, closed }) => {
        const path = newPath();
        send(requestHead('PUT', path, { 'Content-Length': 64 * 2 ** 20 }));
        const answer = await next({ method: 'PUT', path });
        assert.equal(slugOf(answer), 'object-too-large');
        assert.equal(answer.headers['connection'], 'close');
        const mebibyte = Buffer.alloc(2 ** 20);
        for (let sent = 0; sent < 64; sent++) {
          await new Promise<void>((resolve) => void socket.write(mebibyte, () => resolve()));
        }
        assert.equal((await closed()).reset, false);
      }));

    it('of unknown length gets its response before the end of the body', () =>
      onConnection(gateway().port, async ({ send, next, socket, closed }) => {
        const path = newPath();
        send(requestHead('PUT', path, { 'Transfer-Encoding': 'chunked' }));
        const chunk = Buffer.concat([
          Buffer.from('40000\r\n'),
          Buffer.alloc(2 ** 18),
          Buffer.from('\r\n'),
        ]);
        for (let sent = 0; sent < 16; sent++) {
          await new Promise<void>((resolve) => void socket.write(chunk, () => resolve()));
        }
        const answer = await next({ method: 'PUT', path });
        assert.equal(slugOf(answer), 'unsized-body-too-large');
        send('0\r\n\r\n');
        assert.equal((await closed()).reset, false);
      }));

    it('closes the connection though the client neither sends nor closes', () =>
      onConnection(gateway().port, async ({ send, next, closed }) => {
        const path = newPath();
        send(requestHead('PUT', path, { 'Content-Length': 64 * 2 ** 20 }));
        assert.equal((await next({ method: 'PUT', path })).status, 413);
        await closed();
      }));

    it('gets a response that curl reports, with and without Expect: 100-continue', async (t) => {
      const version = await run('curl', ['--version']).catch(() => undefined);
      if (version === undefined) return t.skip('curl is not installed');
      const folder = await mkdtemp(path.join(tmpdir(), 'mcg-curl-'));
      t.after(() => rm(folder, { recursive: true }));
      const file = path.join(folder, 'body');
      await writeFile(file, Buffer.alloc(24 * 2 ** 20));
      for (const expect of ['Expect: 100-continue', 'Expect:']) {
        const target = `${gateway().url}${newPath()}`;
        const flags = [
          '--silent',
          '--show-error',
          '--http1.1',
          '--max-time',
          '20',
          '--header',
          expect,
        ];
        const { stdout } = await run('curl', [...flags, '--upload-file', file, target]);
        assert.equal((JSON.parse(stdout) as { type: string }).type, '/problems/object-too-large');
      }
    });

    it('gets a response that fetch returns', async () => {
      const response = await fetchChecked(`${gateway().url}${newPath()}`, {
        method: 'PUT',
        body: Buffer.alloc(24 * 2 ** 20),
      });
      assert.equal(response.status, 413);
      assert.equal(((await response.json()) as { status: number }).status, 413);
    });
  });
});

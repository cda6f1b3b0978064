/** `SharedBuffer` of the client, with a gateway on a Unix socket. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import { GatewayError } from '../../../packages/client/src/index.ts';
import {
  type BufferGetEntry,
  SharedBuffer,
} from '../../../packages/client/src/shared-buffer/index.ts';
import { sharedMemory } from '../../helpers/engine/client-memory.ts';
import { createInjection, injectingLibrary } from '../../helpers/engine/injecting.ts';
import { buffersOf, socketFile } from '../../helpers/http/buffers.ts';
import { clientOf } from '../../helpers/http/checked-client.ts';
import { type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';
import { until } from '../../helpers/process/until.ts';

const KIB = 1024;
const memoryOf = ({ shmKey }: SharedBuffer) => `/dev/shm${shmKey}`;

describe('a shared buffer of the client', () => {
  const socketPath = socketFile();
  const { request } = buffersOf(`unix:${socketPath}`);
  const injection = createInjection();
  let gateway: ReadyGateway;
  before(async () => {
    gateway = await startGateway({
      args: [
        ...['--listen', `unix:${socketPath}`, '--listen', '127.0.0.1:0', '--shared-buffers', 'on'],
        ...[
          '--shared-buffer-copies',
          'off',
          '--shared-buffer-bytes',
          '1MiB',
          '--engine',
          await injectingLibrary(),
        ],
      ],
      env: injection.env,
    });
  });
  after(async () => {
    assert.deepEqual((await request('GET', '')).json.buffers, []);
    await gateway.kill();
    injection.dispose();
  });
  const client = clientOf(() => gateway);
  const open = (more: object = {}) =>
    SharedBuffer.create({ socketPath, byteSize: 64 * KIB, ...more });
  const newKey = () => `shared-buffer/${randomUUID()}`;

  it('stores and reads objects, whole and in layers', async () => {
    await using buffer = await open();
    const bytes = crypto.getRandomValues(new Uint8Array(10_000));
    await buffer.write(bytes, 100);
    const [whole, layered] = [newKey(), newKey()];
    const layers = [
      { offset: 100, size: 10 },
      { offset: 1000, size: 20 },
    ];
    const stored = await buffer.put([
      { key: whole, offset: 100, size: 10_000 },
      { key: layered, layers },
    ]);
    assert.deepEqual(stored, [
      { ok: true, outcome: 'created', size: 10_000, copied: false },
      { ok: true, outcome: 'created', size: 30, copied: true },
    ]);
    assert.deepEqual(Buffer.from((await client.get(whole)) ?? []), Buffer.from(bytes));
    const found = await buffer.get([
      { key: whole, offset: 20_000 },
      { key: newKey(), offset: 40_000, size: 1 },
      { key: layered, offset: 50_000, size: 30 },
    ]);
    assert.deepEqual(found, [
      { ok: true, size: 10_000, copied: false },
      { ok: true, size: undefined, copied: false },
      { ok: true, size: 30, copied: false },
    ]);
    assert.deepEqual(await buffer.read(20_000, 10_000), bytes);
    const parts = new Uint8Array(30);
    await buffer.readInto(parts, 50_000);
    assert.deepEqual(parts, Uint8Array.of(...bytes.slice(0, 10), ...bytes.slice(900, 920)));
    assert.deepEqual(await buffer.read(0, 0), new Uint8Array(0));
  });

  it('reports the failures of single items, and obeys ifExists', async () => {
    await using buffer = await open();
    const key = newKey();
    const item = { key, offset: 0, size: 100 };
    await buffer.put([item]);
    const again = await buffer.put([{ key: newKey(), offset: 0, size: 1 }, item]);
    assert.deepEqual(
      again.map((result) => (result.ok ? result.outcome : result.error.problem)),
      ['created', 'object-exists'],
    );
    const replaced = await buffer.put([item], { ifExists: 'replace' });
    assert.deepEqual(replaced, [{ ok: true, outcome: 'replaced', size: 100, copied: false }]);
    const [small] = await buffer.get([{ key, offset: 0, size: 99 }]);
    assert.ok(small?.ok === false && small.error instanceof GatewayError);
    assert.equal(small.error.problem, 'buffer-range');
    assert.match(small.error.detail, /100 bytes.*has 99/);
  });

  it('has a name of its own, and is gone with its memory when it is closed', async () => {
    const buffer = await open();
    assert.match(buffer.shmKey, /^\/memcache-/);
    const info = await buffer.info();
    assert.deepEqual(
      [info?.byteSize, info?.state, info?.owner.pid],
      [64 * KIB, 'ready', process.pid],
    );
    await Promise.all([buffer.close(), buffer.close()]);
    assert.equal((await request('GET', `/${buffer.name}`)).status, 404);
    assert.ok(!existsSync(memoryOf(buffer)));
    await assert.rejects(buffer.get([{ key: 'a', offset: 0 }]), /is closed/);
    await assert.rejects(buffer.read(0, 1), /is closed/);
    await buffer.close();
  });

  it('waits for its transfers before it is closed', async () => {
    const buffer = await open();
    const item = { key: newKey(), offset: 0, size: KIB };
    await injection.set([{ on: 'batch_put', delayOutsideUs: 300_000 }]);
    const put = buffer.put([item]);
    await until(async () => (await buffer.info())?.inFlight === 1);
    await buffer.close();
    assert.deepEqual(await put, [{ ok: true, outcome: 'created', size: KIB, copied: false }]);
    assert.equal((await client.info(item.key))?.size, KIB);
    await injection.clear();
  });

  it('waits until the gateway does not use its memory any more before it is closed', async () => {
    const buffer = await open();
    await injection.set([{ on: 'batch_put', delayOutsideUs: 600_000 }]);
    const leave = new AbortController();
    const items = [{ key: newKey(), offset: 0, size: KIB }];
    const put = buffer.put(items, { signal: leave.signal });
    await until(async () => (await buffer.info())?.inFlight === 1);
    leave.abort(new Error('no more'));
    await assert.rejects(put, /no more/);
    assert.equal((await buffer.info())?.inFlight, 1);
    await buffer.close();
    assert.equal((await request('GET', `/${buffer.name}`)).status, 404);
    await injection.clear();
  });

  it('says that the gateway still uses it when that takes too long', async () => {
    const buffer = await open({ timeoutMs: 300, retries: 0 });
    await injection.set([{ on: 'batch_put', delayOutsideUs: 1_200_000 }]);
    await assert.rejects(buffer.put([{ key: newKey(), offset: 0, size: KIB }]), {
      name: 'TimeoutError',
    });
    await assert.rejects(buffer.close(), { name: 'TimeoutError' });
    assert.equal((await request('GET', `/${buffer.name}`)).json.state, 'draining');
    assert.ok(!existsSync(memoryOf(buffer)));
    await until(async () => (await request('GET', `/${buffer.name}`)).status === 404);
    await buffer.close();
    await injection.clear();
  });

  it('ends a call with its signal or after its time, and can be used afterwards', async () => {
    await using buffer = await open({ timeoutMs: 200, retries: 0 });
    const items: BufferGetEntry[] = [{ key: newKey(), offset: 0 }];
    const aborted = AbortSignal.abort(new Error('no more'));
    await assert.rejects(buffer.get(items, { signal: aborted }), /no more/);
    await injection.set([{ on: 'batch_query', delayOutsideUs: 600_000 }]);
    await assert.rejects(buffer.get(items), { name: 'TimeoutError' });
    await until(async () => (await buffer.info())?.inFlight === 0);
    await injection.clear();
    assert.deepEqual(await buffer.get(items), [{ ok: true, size: undefined, copied: false }]);
  });

  it('uses memory of another program, and leaves it there', async () => {
    const memory = sharedMemory(64 * KIB);
    const bytes = Buffer.from('of another program');
    memory.write(KIB + 8, bytes);
    {
      await using buffer = await open({ shmKey: memory.key, offset: KIB, byteSize: 32 * KIB });
      assert.deepEqual(Buffer.from(await buffer.read(8, bytes.length)), bytes);
      const key = newKey();
      await buffer.put([{ key, offset: 8, size: bytes.length }]);
      assert.deepEqual(Buffer.from((await client.get(key)) ?? []), bytes);
    }
    assert.ok(existsSync(memory.path));
    memory.close();
    await assert.rejects(open({ shmKey: memory.key }), { code: 'ENOENT' });
  });

  it('leaves no memory behind when it cannot be registered', async () => {
    const ours = () => readdirSync('/dev/shm').filter((name) => /^memcache-[\da-f]{8}-/.test(name));
    const before = ours();
    await assert.rejects(open({ byteSize: 2 * KIB * KIB, retries: 0 }), (error: unknown) => {
      assert.ok(error instanceof GatewayError);
      assert.equal(error.problem, 'buffers-full');
      return true;
    });
    const nowhere = { socketPath: `${socketPath}.missing`, byteSize: 1, retries: 0 };
    await assert.rejects(SharedBuffer.create(nowhere), (error: Error) => {
      assert.equal(error.name, 'TypeError');
      assert.match(String(error.cause), /ENOENT/);
      return true;
    });
    assert.deepEqual(ours(), before);
  });

  it('leaves no registration behind when that takes too long', async () => {
    await injection.set([{ on: 'register_buffer', delayOutsideUs: 300_000 }]);
    await assert.rejects(open({ timeoutMs: 100, retries: 0 }), { name: 'TimeoutError' });
    await until(async () => (await request('GET', '')).json.buffers?.length === 0);
    await injection.clear();
  });

  it('refuses wrong arguments before a request', async () => {
    const options: [given: object, complaint: RegExp][] = [
      [{ byteSize: 0 }, /options\.byteSize must be a whole number from 1 on, not 0/],
      [{ byteSize: 2 ** 53 }, /options\.byteSize/],
      [{ byteSize: '1' }, /options\.byteSize .*not a string/],
      [{ baseUrl: 'http://127.0.0.1' }, /either socketPath or baseUrl/],
      [{ socketPath: undefined }, /either socketPath or baseUrl/],
      [{ name: 'a/b' }, /options\.name/],
      [{ name: '..' }, /options\.name/],
      [{ name: 'a'.repeat(129) }, /options\.name/],
      [{ shmKey: 'x' }, /options\.shmKey/],
      [{ shmKey: '/../x' }, /options\.shmKey/],
      [{ offset: 1 }, /options\.offset needs options\.shmKey/],
      [{ shmKey: '/x', offset: -1 }, /options\.offset/],
      [{ ttlMs: 0 }, /options\.ttlMs/],
      [{ timeoutMs: 2 ** 31 }, /options\.timeoutMs must be at most 2147483647/],
      [{ token: 'a\n' }, /options\.token/],
      [{ size: 1 }, /options\.size is unknown/],
    ];
    for (const [given, complaint] of options) {
      await assert.rejects(open(given), (error: Error) => {
        assert.ok(error instanceof TypeError, String(error));
        assert.match(error.message, complaint);
        return true;
      });
    }
    await using buffer = await open({ name: 'a'.repeat(128), ttlMs: 2 ** 31 - 1 });
    const [end, key] = [64 * KIB, 'k'];
    const calls: [name: string, complaint: RegExp, call: () => Promise<unknown>][] = [
      ['TypeError', /items must be an array/, () => buffer.put({} as never)],
      ['TypeError', /items\[0\] must be an object/, () => buffer.put([null as never])],
      ['TypeError', /items\[0\]\.key/, () => buffer.put([{ key: '', offset: 0, size: 1 }])],
      ['TypeError', /items\[0\]\.size/, () => buffer.put([{ key, offset: 0 } as never])],
      ['TypeError', /items\[0\]\.size/, () => buffer.get([{ key, offset: 0, size: 0 }])],
      ['TypeError', /items\[0\]\.offset/, () => buffer.get([{ key, offset: 0.5 }])],
      [
        'TypeError',
        /items\[0\]\.length/,
        () => buffer.get([{ key, offset: 0, length: 1 } as never]),
      ],
      ['TypeError', /items\[0\]\.layers/, () => buffer.put([{ key, layers: [] }])],
      ['TypeError', /either layers/, () => buffer.put([{ key, offset: 0, layers: [] }])],
      ['RangeError', /items\[0\]/, () => buffer.put([{ key, offset: end - 1, size: 2 }])],
      ['RangeError', /items\[0\]/, () => buffer.get([{ key, offset: end }])],
      [
        'RangeError',
        /items\[0\]\.layers\[0\]/,
        () => buffer.put([{ key, layers: [{ offset: end, size: 1 }] }]),
      ],
      ['TypeError', /bytes must be a Uint8Array/, () => buffer.write('x' as never)],
      ['RangeError', /offset and bytes/, () => buffer.write(new Uint8Array(2), end - 1)],
      ['RangeError', /offset and size/, () => buffer.read(end, 1)],
      ['RangeError', /offset and into/, () => buffer.readInto(new Uint8Array(end + 1))],
      ['TypeError', /options\.range/, () => buffer.get([], { range: 1 } as never)],
    ];
    for (const [name, complaint, call] of calls) {
      await assert.rejects(call(), { name, message: complaint });
    }
    assert.deepEqual(await buffer.put([{ key: newKey(), offset: end - 1, size: 1 }]), [
      { ok: true, outcome: 'created', size: 1, copied: false },
    ]);
  });
});

describe('a shared buffer of the client, at a loopback address', () => {
  it('works until its gateway ends, and then leaves no memory', async () => {
    const gateway = await startGateway({ args: ['--shared-buffers', 'loopback'] });
    try {
      const buffer = await SharedBuffer.create({
        ...{ baseUrl: gateway.url, byteSize: KIB, retries: 0, name: 'loop' },
      });
      await buffer.write(Uint8Array.of(1, 2, 3));
      assert.ok((await buffer.put([{ key: 'loop', offset: 0, size: 3 }]))[0]?.ok);
      await gateway.kill();
      await assert.rejects(buffer.close(), { name: 'TypeError', message: 'fetch failed' });
      assert.ok(!existsSync(memoryOf(buffer)));
      await assert.rejects(buffer.close(), { name: 'TypeError' });
    } finally {
      await gateway.kill();
    }
  });
});

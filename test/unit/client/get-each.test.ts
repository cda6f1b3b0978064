import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failure, type Keyed, keyed, tensorsAnswer } from '../../helpers/engine/batch-responses.ts';
import { scripted } from '../../helpers/engine/scripted-client.ts';

describe('a batch get that is read one item at a time', () => {
  /** A response whose bytes the test sends, and which records whether it was cancelled. */
  function opened() {
    let cancelled = false;
    const pipe = new TransformStream<Uint8Array, Uint8Array>();
    const writer = pipe.writable.getWriter();
    writer.closed.catch(() => {
      cancelled = true;
    });
    const { client, asked } = scripted([() => new Response(pipe.readable)]);
    return { client, asked, writer, isCancelled: () => cancelled };
  }

  it('returns each item before the next one arrives', async () => {
    const { client, asked, writer } = opened();
    const file = tensorsAnswer({ a: 'one', b: 'two' }, [failure('x')]);
    const items = client.getEach(['a', 'x', 'b'])[Symbol.asyncIterator]();
    assert.equal(asked.length, 0);
    void writer.write(file.subarray(0, -3));
    assert.deepEqual(keyed((await items.next()).value as Keyed), ['a', 'one']);
    assert.deepEqual(keyed((await items.next()).value as Keyed), ['x', undefined]);
    void writer.write(file.subarray(-3));
    assert.deepEqual(keyed((await items.next()).value as Keyed), ['b', 'two']);
    void writer.close();
    assert.equal((await items.next()).done, true);
  });

  it('throws where the response breaks off, and is not retried', async () => {
    const { client, writer } = opened();
    const items = client.getEach(['a', 'b'])[Symbol.asyncIterator]();
    void writer.write(tensorsAnswer({ a: 'one', b: 'two' }).subarray(0, -1));
    void writer.close();
    assert.equal((await items.next()).done, false);
    await assert.rejects(items.next(), /1 bytes are missing/);
  });

  it('cancels the response when the loop is left', async () => {
    const { client, writer, isCancelled } = opened();
    void writer.write(tensorsAnswer({ a: 'one', b: 'two' }).subarray(0, -1));
    for await (const item of client.getEach(['a', 'b'])) {
      assert.equal(item.key, 'a');
      break;
    }
    assert.ok(isCancelled());
  });

  it('ends with its signal, including items that were received and not read', async () => {
    const { client, writer, isCancelled } = opened();
    const controller = new AbortController();
    const { signal } = controller;
    const items = client.getEach(['a', 'b'], { signal })[Symbol.asyncIterator]();
    void writer.write(tensorsAnswer({ a: 'one', b: 'two' }));
    await items.next();
    controller.abort(new Error('enough'));
    await assert.rejects(items.next(), /enough/);
    assert.ok(isCancelled());
  });
});

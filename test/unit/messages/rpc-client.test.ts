import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RpcClient } from '../../../src/messages/rpc-client.ts';

describe('a call to the other process', () => {
  it('gets the response with its id, in any order; a response without a call is dropped', async () => {
    const sent: number[] = [];
    const client = new RpcClient<string>((id) => void sent.push(id));
    const [first, second] = [client.call(5000), client.call(5000)];
    const [a = 0, b = 0] = sent;
    client.responded(b, 'second');
    client.responded(99, 'nothing');
    client.responded(a, 'first');
    client.responded(a, 'again');
    assert.deepEqual(await Promise.all([first, second]), ['first', 'second']);
  });

  it('carries its request', () => {
    const sent: [number, string][] = [];
    const client = new RpcClient<string, string>((id, request) => void sent.push([id, request]));
    void client.call(5000, 'a');
    void client.call(5000, 'b');
    assert.deepEqual(sent, [
      [1, 'a'],
      [2, 'b'],
    ]);
    client.end();
  });

  it('gets no response after its deadline', async (t) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    const client = new RpcClient<string>(() => {});
    const called = client.call(5000);
    mock.timers.tick(5000);
    client.responded(1, 'late');
    assert.equal(await called, undefined);
  });

  it('gets no response once the other process has ended', async () => {
    const client = new RpcClient<string>(() => {});
    const called = [client.call(5000), client.call(5000)];
    client.end();
    assert.deepEqual(await Promise.all(called), [undefined, undefined]);
    const late = await Promise.race([client.call(5000), nextTurn('still waits')]);
    assert.equal(late, undefined);
  });
});

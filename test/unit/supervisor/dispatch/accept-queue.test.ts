import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, it } from 'node:test';
import {
  createAcceptQueue,
  maxQueueLength,
} from '../../../../src/supervisor/dispatch/accept-queue.ts';
import { until } from '../../../helpers/process/until.ts';

function createLine({ maxWaitMs = 60_000 } = {}) {
  const tired: net.Socket[] = [];
  const line = createAcceptQueue({
    maxConnections: 3,
    maxWaitMs,
    onTimeout: (socket) => void tired.push(socket),
  });
  const sockets = Array.from({ length: 4 }, () => new net.Socket());
  return { line, sockets, tired };
}

describe('a queue of connections', () => {
  it('accepts up to its limit, and more only after one has been served', () => {
    const { line, sockets } = createLine();
    assert.deepEqual(
      sockets.map((socket) => line.join(socket)),
      [true, true, true, false],
    );
    assert.equal(line.length, 3);
    let room = 1;
    line.serve(() => room-- > 0);
    assert.equal(line.length, 2);
    assert.equal(line.join(sockets[3] ?? assert.fail()), true);
  });

  it('is served in order of arrival, and keeps a refused connection at its head', () => {
    const { line, sockets } = createLine();
    for (const socket of sockets) line.join(socket);
    line.serve(() => false);
    const served: net.Socket[] = [];
    line.serve((socket) => served.push(socket) > 0);
    assert.deepEqual(served, sockets.slice(0, 3));
    line.serve(() => assert.fail('nobody waits'));
  });

  it('lets no connection wait longer than its limit, one after the other', async () => {
    const { line, sockets, tired } = createLine({ maxWaitMs: 20 });
    const [first, second, third] = sockets;
    assert(first && second && third);
    line.join(first);
    line.join(second);
    await until(() => tired.length === 2);
    assert.deepEqual(tired, [first, second]);
    assert.equal(line.length, 0);
    line.join(third);
    await until(() => tired.length === 3);
  });

  it('leaves half of the descriptors for other uses', () => {
    const limits = (soft: string) => () =>
      `Limit                     Soft Limit           Hard Limit           Units     \n` +
      `Max open files            ${soft.padEnd(20)} 1048576              files     \n`;
    assert.equal(maxQueueLength(limits('1024')), 512);
    assert.equal(maxQueueLength(limits('1025')), 512);
    assert.equal(maxQueueLength(limits('1048576')), 16_384);
    assert.equal(maxQueueLength(limits('unlimited')), 16_384);
    assert(maxQueueLength() > 0);
  });
});

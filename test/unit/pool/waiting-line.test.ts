import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, it } from 'node:test';
import { createWaitingLine, longestLineHere } from '../../../src/pool/waiting-line.ts';
import { until } from '../../helpers/until.ts';

function createLine({ patienceMs = 60_000 } = {}) {
  const tired: net.Socket[] = [];
  const line = createWaitingLine({
    mostConnections: 3,
    patienceMs,
    onTired: (socket) => void tired.push(socket),
  });
  const sockets = Array.from({ length: 4 }, () => new net.Socket());
  return { line, sockets, tired };
}

describe('a line of connections', () => {
  it('takes as many as it may, and no more until one has been served', () => {
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

  it('is served in the order of coming, and keeps who was not taken at its head', () => {
    const { line, sockets } = createLine();
    for (const socket of sockets) line.join(socket);
    line.serve(() => false);
    const served: net.Socket[] = [];
    line.serve((socket) => served.push(socket) > 0);
    assert.deepEqual(served, sockets.slice(0, 3));
    line.serve(() => assert.fail('nobody waits'));
  });

  it('lets nobody wait longer than the patience, one after the other', async () => {
    const { line, sockets, tired } = createLine({ patienceMs: 20 });
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

  it('leaves half of the descriptors to others', () => {
    const limits = (soft: string) => () =>
      `Limit                     Soft Limit           Hard Limit           Units     \n` +
      `Max open files            ${soft.padEnd(20)} 1048576              files     \n`;
    assert.equal(longestLineHere(limits('1024')), 512);
    assert.equal(longestLineHere(limits('1025')), 512);
    assert.equal(longestLineHere(limits('1048576')), 16_384);
    assert.equal(longestLineHere(limits('unlimited')), 16_384);
    assert(longestLineHere() > 0);
  });
});

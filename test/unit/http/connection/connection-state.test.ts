import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { admit, createConnectionStates } from '../../../../src/http/connection/connection-state.ts';

/** Whether a request with this Connection header is the last one of its connection. */
function isLast(connection: string, httpVersionMinor = 1): boolean {
  const socket = new Socket();
  const req = new IncomingMessage(socket);
  Object.assign(req, { httpVersionMajor: 1, httpVersionMinor, headers: { connection } });
  const state = createConnectionStates().of(socket);
  assert.ok(admit(state, req, new ServerResponse(req)));
  return state.isClosing;
}

describe('the Connection header of a request', () => {
  it('ends the connection if one of its options is close, whatever the blanks and the case', () => {
    for (const header of [
      'close',
      'Close',
      'TE, close',
      'TE \t,\t close ,x',
      ',,close',
      'close,',
    ]) {
      assert.equal(isLast(header), true, header);
    }
    for (const header of ['TE', 'closed', 'close x', 'no-close', '', ',', 'keep-alive, TE']) {
      assert.equal(isLast(header), false, header);
    }
  });

  it('of HTTP/1.0 must have keep-alive to keep the connection', () => {
    assert.equal(isLast('TE , Keep-Alive', 0), false);
    assert.equal(isLast('keep-alive, close', 0), true);
    assert.equal(isLast('TE', 0), true);
  });

  it('takes little time however many blanks it has: no token is needed to send it', () => {
    const longest = `a${' '.repeat(8000)}b${'\t'.repeat(8000)}c`;
    const before = process.cpuUsage();
    for (let n = 0; n < 50; n += 1) isLast(longest);
    const { user } = process.cpuUsage(before);
    assert.ok(user < 1e6, `50 heads took ${user / 1000} ms of CPU`);
  });
});

import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { before, describe, it, type TestContext } from 'node:test';
import { UploadingClient } from '../../../../src/http/body/uploading-client.ts';
import type { Exchange } from '../../../../src/http/exchange.ts';
import { lastUnreadBytes } from '../../../../src/os/peer-state.ts';
import { unreadConnection } from '../../../helpers/http/unread-connection.ts';
import { probeFeatures } from '../../../helpers/process/node-features.ts';
import { until } from '../../../helpers/process/until.ts';

const sized = { 'content-length': '100' };
const chunked = { 'transfer-encoding': 'chunked' };

/** The state of a request whose client ends its side after `unread` bytes. */
interface Case {
  readonly headers: IncomingHttpHeaders;
  /** Bytes of the body that a consumer has received, that are held for it, and that the request buffers. */
  readonly taken?: number;
  readonly held?: number;
  readonly buffered?: number;
  readonly unread: number;
  readonly complete?: boolean;
}

describe('the sender of a body', () => {
  before(() => probeFeatures());

  /** Whether it counts as ended early before and after it ends its side. */
  async function endsEarly(
    t: TestContext,
    state: Case,
  ): Promise<{ open: boolean; ended: boolean }> {
    const [inside, outside] = await unreadConnection(t, 'Unix');
    const { headers, taken = 0, held = 0, buffered = 0, complete = false } = state;
    const req = { socket: inside, headers, complete, readableLength: buffered };
    const body = { receivedBytes: taken + held };
    const sender = new UploadingClient({ req, body, bytesIn: taken } as unknown as Exchange);
    if (state.unread > 0) outside.write(Buffer.alloc(state.unread));
    const open = sender.hasEndedEarly();
    outside.end();
    await until(() => lastUnreadBytes(inside) === state.unread);
    assert.equal(sender.destroyed, false);
    return { open, ended: sender.hasEndedEarly() };
  }

  for (const [name, state] of [
    ['the kernel holds the rest', { headers: sized, unread: 100 }],
    ['all but the rest has been read', { headers: sized, taken: 30, buffered: 50, unread: 20 }],
    ['some of it is held', { headers: sized, taken: 30, held: 40, buffered: 10, unread: 20 }],
    ['another request follows', { headers: sized, unread: 150 }],
    ['it has been read to its end', { headers: sized, complete: true, unread: 0 }],
    ['it is chunked and not all of it has been read', { headers: chunked, unread: 1 }],
    ['it is chunked and complete', { headers: chunked, complete: true, unread: 0 }],
  ] as [string, Case][]) {
    it(`may end its side after its body: ${name}`, async (t) => {
      assert.deepEqual(await endsEarly(t, state), { open: false, ended: false });
    });
  }

  for (const [name, state] of [
    ['a byte is missing', { headers: sized, unread: 99 }],
    ['a byte is missing behind others', { headers: sized, taken: 30, buffered: 50, unread: 19 }],
    ['a byte is missing behind held ones', { headers: sized, taken: 30, held: 40, unread: 29 }],
    ['it has not sent any', { headers: sized, unread: 0 }],
    ['it is chunked and nothing is unread', { headers: chunked, taken: 10, unread: 0 }],
  ] as [string, Case][]) {
    it(`has ended its side inside its body: ${name}`, async (t) => {
      assert.deepEqual(await endsEarly(t, state), { open: false, ended: true });
    });
  }

  it('has disconnected when it closes the connection after a complete body', async (t) => {
    const [inside, outside] = await unreadConnection(t, 'Unix');
    const req = { socket: inside, headers: sized, complete: true, readableLength: 0 };
    const sender = new UploadingClient({ req, bytesIn: 100 } as unknown as Exchange);
    outside.destroy();
    await until(() => sender.destroyed);
  });
});

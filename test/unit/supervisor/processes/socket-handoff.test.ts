import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { SocketHandoff } from '../../../../src/supervisor/processes/socket-handoff.ts';
import { until } from '../../../helpers/process/until.ts';

let server: net.Server;
before(async () => {
  server = net.createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
after(() => server.close());

/** The server's end of a connection that it has accepted. */
async function connection(): Promise<net.Socket> {
  const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  client.on('error', () => {});
  const socket = await accepted;
  socket.once('close', () => client.destroy());
  return socket;
}

function create({ acceptMs = 60_000 } = {}) {
  const sent: string[] = [];
  const returned: net.Socket[] = [];
  let failed = () => {};
  const handoff = new SocketHandoff({
    send(message, handle, onSent = () => {}) {
      const id = 'id' in message ? message.id : '';
      sent.push(`${message.type} ${id}${handle === undefined ? '' : ' with a connection'}`);
      failed = () => onSent(false);
    },
    bareHandles: () => true,
    acceptMs,
    onAccepted: () => void sent.push('(accepted)'),
    onSilent: () => void sent.push('(silent)'),
    onRevoked: (socket) => void returned.push(socket),
  });
  return { handoff, sent, returned, fail: () => failed() };
}

describe('a connection that is passed to a worker', () => {
  it('belongs to the worker after it has accepted it, and not before', async () => {
    const { handoff, sent, returned } = create();
    const socket = await connection();
    assert.equal(handoff.offer(socket), true);
    assert.deepEqual(sent, ['offer 1 with a connection']);
    assert.equal(socket.destroyed, false);
    handoff.accept(1);
    assert.deepEqual(sent.slice(1), ['commit 1', '(accepted)']);
    assert.equal(socket.destroyed, true);
    handoff.end();
    assert.deepEqual(returned, []);
  });

  it('is the only one in handoff', async () => {
    const { handoff } = create();
    const [first, second] = [await connection(), await connection()];
    assert.equal(handoff.offer(first), true);
    assert.equal(handoff.offer(second), false);
    handoff.accept(1);
    assert.equal(handoff.offer(second), true);
    handoff.accept(2);
  });

  it('is taken back if the worker does not respond, and stays so even if the worker continues', async () => {
    const { handoff, sent, returned } = create({ acceptMs: 10 });
    const socket = await connection();
    handoff.offer(socket);
    await until(() => returned.length > 0);
    assert.deepEqual(returned, [socket]);
    assert.deepEqual(sent.slice(1), ['revoke 1', '(silent)']);
    handoff.accept(1);
    assert.equal(sent.length, 3);
    assert.equal(socket.destroyed, false);
    socket.destroy();
  });

  it('is taken back if the worker ends, or if sending fails', async () => {
    const { handoff, returned, fail } = create();
    const [first, second] = [await connection(), await connection()];
    handoff.offer(first);
    handoff.end();
    handoff.offer(second);
    fail();
    assert.deepEqual(returned, [first, second]);
    for (const socket of returned) socket.destroy();
  });

  it('belongs to no process after it was closed while it waited', async () => {
    const { handoff, sent, returned } = create();
    const [first, second] = [await connection(), await connection()];
    first.destroy();
    assert.equal(handoff.offer(first), true);
    assert.deepEqual(sent, []);
    handoff.offer(second);
    second.destroy();
    handoff.end();
    assert.deepEqual(returned, []);
  });

  it('is decided before a message that waits for it', async () => {
    const { handoff, sent } = create();
    handoff.whenIdle(() => sent.push('at once'));
    handoff.offer(await connection());
    handoff.whenIdle(() => sent.push('behind'));
    handoff.accept(1);
    assert.deepEqual(sent, [
      'at once',
      'offer 1 with a connection',
      'commit 1',
      'behind',
      '(accepted)',
    ]);
  });
});

import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createHandOver } from '../../../src/pool/hand-over.ts';
import { until } from '../../helpers/until.ts';

let server: net.Server;
before(async () => {
  server = net.createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
after(() => server.close());

/** Our end of a connection that the server has accepted. */
async function connection(): Promise<net.Socket> {
  const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  client.on('error', () => {});
  const socket = await accepted;
  socket.once('close', () => client.destroy());
  return socket;
}

function create({ answerMs = 60_000 } = {}) {
  const sent: string[] = [];
  const returned: net.Socket[] = [];
  let failed = () => {};
  const handOver = createHandOver({
    send(message, handle, onSent = () => {}) {
      const id = 'id' in message ? message.id : '';
      sent.push(`${message.type} ${id}${handle === undefined ? '' : ' with a connection'}`);
      failed = () => onSent(false);
    },
    bareHandles: () => true,
    answerMs,
    onTaken: () => void sent.push('(taken)'),
    onSilent: () => void sent.push('(silent)'),
    onReturned: (socket) => void returned.push(socket),
  });
  return { ...handOver, sent, returned, fail: () => failed() };
}

describe('a connection that is handed over', () => {
  it('is the worker\u2019s once that has answered, and not before', async () => {
    const { offer, taken, sent, returned, end } = create();
    const socket = await connection();
    assert.equal(offer(socket), true);
    assert.deepEqual(sent, ['connection 1 with a connection']);
    assert.equal(socket.destroyed, false);
    taken(1);
    assert.deepEqual(sent.slice(1), ['yours 1', '(taken)']);
    assert.equal(socket.destroyed, true);
    end();
    assert.deepEqual(returned, []);
  });

  it('is the only one under way', async () => {
    const { offer, taken } = create();
    const [first, second] = [await connection(), await connection()];
    assert.equal(offer(first), true);
    assert.equal(offer(second), false);
    taken(1);
    assert.equal(offer(second), true);
    taken(2);
  });

  it('comes back when the worker does not answer, and stays so, however late that wakes', async () => {
    const { offer, taken, sent, returned } = create({ answerMs: 10 });
    const socket = await connection();
    offer(socket);
    await until(() => returned.length > 0);
    assert.deepEqual(returned, [socket]);
    assert.deepEqual(sent.slice(1), ['returned 1', '(silent)']);
    taken(1);
    assert.equal(sent.length, 3);
    assert.equal(socket.destroyed, false);
    socket.destroy();
  });

  it('comes back when the worker ends, or could not be sent to', async () => {
    const { offer, returned, end, fail } = create();
    const [first, second] = [await connection(), await connection()];
    offer(first);
    end();
    offer(second);
    fail();
    assert.deepEqual(returned, [first, second]);
    for (const socket of returned) socket.destroy();
  });

  it('is nobody\u2019s any more when it was closed while it waited', async () => {
    const { offer, sent, returned, end } = create();
    const [first, second] = [await connection(), await connection()];
    first.destroy();
    assert.equal(offer(first), true);
    assert.deepEqual(sent, []);
    offer(second);
    second.destroy();
    end();
    assert.deepEqual(returned, []);
  });

  it('is decided on before what was to wait for it', async () => {
    const { offer, taken, sent, whenIdle } = create();
    whenIdle(() => sent.push('at once'));
    offer(await connection());
    whenIdle(() => sent.push('behind'));
    taken(1);
    assert.deepEqual(sent, [
      'at once',
      'connection 1 with a connection',
      'yours 1',
      'behind',
      '(taken)',
    ]);
  });
});

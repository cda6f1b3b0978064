import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { pauseReading, resumeReading } from '../../../../src/http/body/read-pause.ts';
import { respondToClientError } from '../../../../src/http/connection/client-error.ts';
import { createConnectionServer } from '../../../../src/http/connection/connection-server.ts';
import { admit, createConnectionStates } from '../../../../src/http/connection/connection-state.ts';
import { probeFeatures } from '../../../helpers/process/node-features.ts';
import { until } from '../../../helpers/process/until.ts';

const idleTimeoutMs = 200;
const reason = {};

describe('the time limit of a head behind a connection that is not read', {
  timeout: 20_000,
}, () => {
  let server: Server;
  let client: Socket;
  let received: string;
  let first: ServerResponse | undefined;
  let timeouts: number;

  before(async () => {
    await probeFeatures();
    const states = createConnectionStates();
    const report = () => undefined;
    server = createConnectionServer({ idleTimeoutMs });
    server.on('request', (req, res) => {
      if (!admit(states.of(req.socket), req, res)) return;
      if (req.url === '/second') {
        res.end();
        return;
      }
      first = res;
      pauseReading(req.socket, reason);
    });
    server.on('clientError', (error: Error, socket: Socket) => {
      timeouts += 1;
      respondToClientError(report, error, socket, states.of(socket), idleTimeoutMs);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });

  /** Sends a request and half a head, whose time is over while the gateway does not read. */
  beforeEach(async () => {
    first = undefined;
    timeouts = 0;
    received = '';
    client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.on('data', (chunk: Buffer) => {
      received += chunk.toString();
    });
    client.write('GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHo');
    await until(() => timeouts === 1);
    assert.equal(received, '');
  });

  const statuses = (): string[] => received.match(/(?<=^HTTP\/1\.1 )\d{3}/gm) ?? [];

  async function readOn(): Promise<void> {
    const res = first as ServerResponse;
    resumeReading(res.req.socket, reason);
    res.end();
    await until(() => statuses().length === 1);
  }

  it('begins anew when the gateway reads again', async () => {
    await readOn();
    client.write('st: a\r\n\r\n');
    await until(() => statuses().length === 2);
    assert.deepEqual(statuses(), ['200', '200']);
  });

  it('is over for a client that does not complete the head then', async () => {
    await readOn();
    await until(() => statuses().length === 2);
    assert.deepEqual(statuses(), ['200', '408']);
  });
});

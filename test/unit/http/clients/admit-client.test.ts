import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { admitClient, beginConnection } from '../../../../src/http/clients/admit-client.ts';
import { Clients } from '../../../../src/http/clients/clients.ts';
import type { Exchange } from '../../../../src/http/exchange.ts';
import { peerOf } from '../../../../src/scheduler/arena-room.ts';

const limits = { inFlight: 0, bytesPerSecond: 0 };
const at = (network: string | undefined) => ({ address: network ?? 'unix', network });

function request(
  clients: Clients,
  socket: object,
  url: string,
  id?: string,
  certificate?: string,
): Exchange {
  const [req, gateway] = [{ socket, url }, { clients }];
  return { req, gateway, grant: { id, certificate }, client: undefined } as unknown as Exchange;
}

describe('the client of a request', () => {
  it('is its token, whatever its address, or else its address', () => {
    const clients = new Clients(limits);
    const socket = {} as Socket;
    const clientOf = (network: string | undefined, id?: string) => {
      const exchange = request(clients, socket, '/v1/objects/a', id);
      admitClient(exchange, at(network));
      assert.equal(peerOf(socket), exchange.client, 'its blocks use the share of the client');
      return exchange.client;
    };
    const token = clientOf('10.0.0.1', 'a');
    assert.equal(clientOf('10.0.0.2', 'a'), token);
    assert.notEqual(clientOf('10.0.0.1', 'b'), token);
    const address = clientOf('10.0.0.1');
    assert.notEqual(address, token);
    assert.equal(clientOf('10.0.0.1'), address);
    assert.equal(token?.inFlight, 2);
  });

  it('is its client certificate without a token, whatever its address', () => {
    const clients = new Clients(limits);
    const clientOf = (network: string, certificate: string, id?: string) => {
      const exchange = request(clients, {}, '/v1/objects/a', id, certificate);
      admitClient(exchange, at(network));
      return exchange.client;
    };
    const reader = clientOf('10.0.0.1', 'reader');
    assert.equal(clientOf('10.0.0.2', 'reader'), reader);
    assert.notEqual(clientOf('10.0.0.1', 'writer'), reader);
    // A name is neither a token with that id nor an address.
    assert.notEqual(clientOf('10.0.0.1', '', 'reader'), reader);
    assert.notEqual(clientOf('10.0.0.1', '10.0.0.1'), clientOf('10.0.0.1', ''));
    assert.equal(clientOf('10.0.0.1', 'reader', 'a'), clientOf('10.0.0.2', 'writer', 'a'));
    // A certificate without one common name: its address.
    assert.notEqual(clientOf('10.0.0.1', ''), clientOf('10.0.0.2', ''));
  });

  it('is its connection on a Unix socket without tokens', () => {
    const clients = new Clients(limits);
    const [one, two] = [{} as Socket, {} as Socket];
    for (const socket of [one, two]) beginConnection(clients, socket);
    assert.notEqual(peerOf(one), peerOf(two));
    const exchange = request(clients, one, '/v1/objects/a');
    const first = peerOf(one);
    admitClient(exchange, at(undefined));
    assert.equal(peerOf(one), first);
    assert.equal(clients.size, 0);
  });

  it('counts requests below /v1/ and lookups of the status page, also in absolute form, and no others', () => {
    for (const [url, count] of [
      ['/v1/objects/a', 1],
      ['http://host/v1/objects/a', 1],
      ['/?key=a', 1],
      ['/?%6bey=a', 1],
      ['http://host/?key=a', 1],
      ['/', 0],
      ['http://host/', 0],
      ['/livez', 0],
      ['/readyz', 0],
      ['/metrics', 0],
      ['/docs', 0],
      ['http://host/livez', 0],
    ] as const) {
      const clients = new Clients(limits);
      admitClient(request(clients, {}, url), at('10.0.0.1'));
      assert.equal(clients.at('10.0.0.1').inFlight, count, url);
    }
  });
});

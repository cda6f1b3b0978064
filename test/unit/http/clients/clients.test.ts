import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../../src/errors/problems.ts';
import type { Client } from '../../../../src/http/clients/client.ts';
import { Clients } from '../../../../src/http/clients/clients.ts';
import { PeerShares } from '../../../../src/native/arena/peer-shares.ts';

function setup(inFlight: number, bytesPerSecond: number) {
  let nowMs = 0;
  const clients = new Clients({ inFlight, bytesPerSecond }, () => nowMs);
  const refusal = (client: Client): ProblemError | undefined => {
    try {
      clients.enter(client);
      return undefined;
    } catch (error) {
      assert.ok(error instanceof ProblemError);
      return error;
    }
  };
  return { clients, refusal, at: (ms: number) => (nowMs = ms) };
}

describe('the requests in flight of a client', () => {
  it('are as many as the limit, and not one more', () => {
    const { clients, refusal } = setup(2, 0);
    const client = clients.at('10.0.0.1');
    assert.equal(refusal(client), undefined);
    assert.equal(refusal(client), undefined);
    assert.equal(refusal(client)?.slug, 'client-busy');
    assert.equal(client.inFlight, 2);
    clients.leave(client, 0);
    assert.equal(refusal(client), undefined);
    assert.deepEqual(clients.refusals, { 'in-flight': 1, 'bytes-per-second': 0 });
  });

  it('are not limited by 0', () => {
    const { clients, refusal } = setup(0, 0);
    for (let n = 0; n < 5000; n++) assert.equal(refusal(clients.at('10.0.0.1')), undefined);
  });

  it('are counted by token or address', () => {
    const { clients, refusal } = setup(1, 0);
    assert.equal(refusal(clients.at('10.0.0.1')), undefined);
    assert.equal(refusal(clients.at('10.0.0.2')), undefined);
    assert.equal(refusal(clients.withToken('10.0.0.1')), undefined);
    assert.equal(refusal(clients.unnamed()), undefined);
    assert.equal(refusal(clients.at('10.0.0.1'))?.slug, 'client-busy');
    assert.equal(refusal(clients.withToken('10.0.0.1'))?.slug, 'client-busy');
  });
});

describe('the bytes per second of a client', () => {
  it('may be those of one second at once, and not one byte more', () => {
    const { clients, refusal } = setup(0, 1000);
    const [at, past] = [clients.at('10.0.0.1'), clients.at('10.0.0.2')];
    for (const [client, bytes] of [
      [at, 1000],
      [past, 1001],
    ] as const) {
      assert.equal(refusal(client), undefined);
      clients.leave(client, bytes);
    }
    assert.equal(refusal(at), undefined);
    const problem = refusal(past);
    assert.equal(problem?.slug, 'client-too-fast');
    assert.equal(problem?.options.headers?.['Retry-After'], '1');
  });

  it('are made up for at the rate, and no faster', () => {
    const { clients, refusal, at } = setup(0, 1000);
    const client = clients.at('10.0.0.1');
    refusal(client);
    clients.leave(client, 3500);
    assert.equal(refusal(client)?.options.headers?.['Retry-After'], '3');
    at(2499);
    assert.equal(refusal(client)?.slug, 'client-too-fast');
    at(2500);
    assert.equal(refusal(client), undefined);
    assert.equal(clients.refusals['bytes-per-second'], 2);
    assert.equal(client.inFlight, 1);
  });

  it('are not saved up for longer than a second', () => {
    const { clients, refusal, at } = setup(0, 1000);
    const client = clients.at('10.0.0.1');
    at(3_600_000);
    refusal(client);
    clients.leave(client, 1001);
    assert.equal(refusal(client)?.slug, 'client-too-fast');
  });

  it('make a client wait for an hour at most', () => {
    const { clients, refusal } = setup(0, 1);
    const client = clients.at('10.0.0.1');
    refusal(client);
    clients.leave(client, 1e9);
    assert.equal(refusal(client)?.options.headers?.['Retry-After'], '3600');
  });
});

describe('the clients that a worker remembers', () => {
  it('are bounded: those without requests, bytes and debts are forgotten', () => {
    const { clients, refusal, at } = setup(0, 1000);
    const busy = clients.at('busy');
    refusal(busy);
    const indebted = clients.at('indebted');
    refusal(indebted);
    clients.leave(indebted, 1_000_000);
    const holder = clients.at('holder');
    const shares = new PeerShares(100);
    const share = shares.of(holder);
    assert.ok(share);
    share.bytes = 1;
    at(10_000);
    for (let n = 0; n < 10_000; n++) clients.at(`10.0.${n >> 8}.${n & 255}`);
    assert.ok(clients.size <= 1024, `${clients.size} clients`);
    for (const [name, client] of Object.entries({ busy, indebted, holder })) {
      assert.equal(clients.at(name), client, name);
    }
    share.bytes = 0;
    for (let n = 0; n < 3000; n++) clients.at(`10.1.${n >> 8}.${n & 255}`);
    assert.notEqual(clients.at('holder'), holder);
  });
});

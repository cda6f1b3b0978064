/** Random operations on several objects at a time; each item is compared with the model. */
import assert from 'node:assert/strict';
import { acceptOf, type Coding, codings, type Item, itemsOf, putBody } from './codings.ts';
import type { Answer, Disconnect, Outcome } from './http.ts';
import { absent, type ModelKey } from './model.ts';
import type { Player } from './single.ts';
import { bytesOf, lengthOf, type Value } from './values.ts';
import {
  ifExistsModes,
  judgeGet,
  judgeInfo,
  judgePut,
  judgeRemove,
  mayHavePut,
  toldBy,
} from './verdicts.ts';

export function batchOperations({ connections, random, tolerates, nextVersion }: Player) {
  /** Repeats some of the keys. */
  const withRepeats = (keys: readonly ModelKey[]): ModelKey[] => {
    const repeats = random.chance(0.3) ? keys.filter(() => random.chance(0.3)) : [];
    return random.shuffle([...keys, ...repeats]);
  };

  /** Sometimes repeats the keys so often that the response does not fit the socket buffers. */
  const manyTimes = (keys: readonly ModelKey[]): readonly ModelKey[] =>
    random.chance(0.04) ? Array.from({ length: 40 }, () => keys).flat() : keys;

  /** Chooses a disconnect inside the request or inside a response of about `answer` bytes. */
  const disconnectWithin = (request: number, answer: number): Disconnect | undefined => {
    if (!random.chance(0.12)) return undefined;
    if (random.chance(0.5)) return { sent: random.between(0, request + 1) };
    return { received: random.between(0, answer) };
  };

  /** Returns undefined when the client disconnected before it had sent all keys: the request had no effect. */
  async function ask(
    operation: 'get' | 'exists' | 'info' | 'remove',
    keys: readonly ModelKey[],
    coding: Coding = 'json',
  ): Promise<Outcome | undefined> {
    const body = Buffer.from(JSON.stringify({ keys: keys.map(({ key }) => key) }));
    const disconnect = disconnectWithin(body.length, operation === 'get' ? 600_000 : 500);
    const sized = random.chance(0.8);
    const outcome = await connections.send({
      method: 'POST',
      path: `/v1/batch/${operation}`,
      headers: { 'Content-Type': 'application/json', Accept: acceptOf[coding] },
      body,
      sized,
      disconnect,
    });
    if (disconnect === undefined || 'received' in disconnect || outcome !== 'left') return outcome;
    return sized && disconnect.sent === body.length ? outcome : undefined;
  }

  /** Returns the items of a response; undefined when the whole response is a tolerated problem. */
  function answered(
    answer: Answer,
    keys: readonly ModelKey[],
    coding: Coding = 'json',
  ): Item[] | undefined {
    if (tolerates(toldBy(answer))) return undefined;
    assert.equal(answer.status, 200, answer.body.toString('latin1', 0, 500));
    return itemsOf(
      coding,
      keys.map(({ key }) => key),
      answer,
    );
  }

  async function put(some: readonly ModelKey[]): Promise<void> {
    const coding = random.pick(codings);
    const mode = random.pick(ifExistsModes);
    const keys = coding === 'safetensors' ? some : withRepeats(some);
    const values = keys.map((): Value => {
      const length = random.chance(0.02) ? 0 : lengthOf(random);
      return { version: nextVersion(), length };
    });
    const { path, type, body, wholeAt } = putBody(
      coding,
      keys.map(({ key }, at) => [key, bytesOf(values[at] as Value)]),
      mode,
      random,
    );
    const sized = random.chance(0.8);
    const disconnect = disconnectWithin(body.length, 500);
    // Sometimes the client sends a complete request with a body that is too short.
    const short = disconnect === undefined && random.chance(0.03);
    const sent = short ? body.subarray(0, random.between(0, body.length - 8)) : body;
    const outcome = await connections.send({
      method: 'POST',
      path,
      headers: { 'Content-Type': type },
      body: sent,
      sized,
      disconnect,
    });
    assert.notEqual(outcome, 'broken');
    const first = keys.map((key, at) => keys.indexOf(key) === at && values[at]?.length !== 0);
    const mayHaveStored = (bytes: number): void => {
      for (const [at, key] of keys.entries()) {
        if (!first[at] || (wholeAt[at] as number) > bytes) continue;
        mayHavePut(key, values[at] as Value, mode, true);
      }
    };
    if (typeof outcome === 'string') {
      const bytes =
        disconnect !== undefined && 'sent' in disconnect ? disconnect.sent : body.length;
      // A JSON body must be complete, including its end.
      const whole =
        bytes === body.length && (sized || (disconnect !== undefined && 'received' in disconnect));
      if (coding !== 'json' || whole) mayHaveStored(bytes);
      return;
    }
    if (short && !tolerates(toldBy(outcome))) {
      assert.deepEqual([outcome.status, toldBy(outcome).type], [400, '/problems/invalid-body']);
      if (coding === 'multipart' || !sized) mayHaveStored(sent.length);
      return;
    }
    const items = answered(outcome, keys);
    if (items === undefined) {
      mayHaveStored(sent.length);
      return;
    }
    for (const [at, item] of items.entries()) {
      const key = keys[at] as ModelKey;
      if (keys.indexOf(key) < at) {
        assert.deepEqual(
          [item.status, item.type, item.code],
          [409, '/problems/object-exists', null],
        );
      } else if (values[at]?.length === 0) assert.equal(item.type, '/problems/empty-object');
      else judgePut(key, values[at] as Value, mode, item, tolerates);
    }
  }

  async function get(some: readonly ModelKey[]): Promise<void> {
    const coding = random.pick(codings);
    const keys = coding === 'safetensors' ? some : manyTimes(withRepeats(some));
    const outcome = await ask('get', keys, coding);
    if (outcome === 'broken') {
      // A safetensors response has a Content-Length, so it cannot report a later fault except by a close.
      assert.equal(coding, 'safetensors');
      assert.ok(tolerates({ status: 502 }) || keys.some(({ settled }) => !settled), 'broken');
    }
    if (outcome === undefined || typeof outcome === 'string') return;
    for (const [at, item] of answered(outcome, keys, coding)?.entries() ?? []) {
      judgeGet(keys[at] as ModelKey, item, tolerates, item.bytes);
    }
  }

  async function look(some: readonly ModelKey[], operation: 'exists' | 'info'): Promise<void> {
    const keys = withRepeats(some);
    const outcome = await ask(operation, keys);
    assert.notEqual(outcome, 'broken');
    if (outcome === undefined || typeof outcome === 'string') return;
    for (const [at, item] of answered(outcome, keys)?.entries() ?? []) {
      const key = keys[at] as ModelKey;
      if (operation === 'info') judgeInfo(key, item, tolerates, item.size);
      else if (!tolerates(item)) {
        assert.equal(item.status, 200, JSON.stringify(item));
        assert.equal(typeof item.exists, 'boolean');
        key.seesPresence(item.exists === true);
      }
    }
  }

  async function remove(some: readonly ModelKey[]): Promise<void> {
    const keys = withRepeats(some);
    const outcome = await ask('remove', keys);
    assert.notEqual(outcome, 'broken');
    if (outcome === undefined) return;
    const items = typeof outcome === 'string' ? undefined : answered(outcome, keys);
    for (const [at, key] of keys.entries()) {
      const item = items?.[at];
      if (item === undefined) key.mayBecome([absent], true);
      else judgeRemove(key, item, tolerates);
    }
  }

  return {
    put,
    get,
    exists: (some: readonly ModelKey[]) => look(some, 'exists'),
    info: (some: readonly ModelKey[]) => look(some, 'info'),
    remove,
  };
}

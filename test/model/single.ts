/** Random operations on one object at a time; each is compared with the model. */
import assert from 'node:assert/strict';
import type { Connections, Disconnect } from './http.ts';
import { absent, type ModelKey } from './model.ts';
import { bytesOf, lengthOf, type Random, type Value } from './values.ts';
import {
  judgeGet,
  judgeInfo,
  judgePut,
  judgeRemove,
  mayHavePut,
  type Tolerance,
  toldBy,
} from './verdicts.ts';

export interface Player {
  readonly connections: Connections;
  readonly random: Random;
  readonly tolerates: Tolerance;
  readonly nextVersion: () => number;
}

const pathOf = ({ key }: ModelKey): string => `/v1/objects/${encodeURIComponent(key)}`;

export function singleOperations({ connections, random, tolerates, nextVersion }: Player) {
  const { send } = connections;

  /** Sometimes chooses a disconnect: as soon as the request is sent, or inside the response. */
  const disconnectInResponse = (): Disconnect | undefined => {
    if (!random.chance(0.05)) return undefined;
    return random.chance(0.3) ? { sent: 0 } : { received: random.between(0, 100_000) };
  };

  async function put(key: ModelKey): Promise<void> {
    const value: Value = { version: nextVersion(), length: lengthOf(random) };
    const mode = random.pick(['fail', 'fail', 'keep', 'replace'] as const);
    const condition = mode === 'fail' && random.chance(0.2);
    const sized = random.chance(0.8);
    // The client cuts the body off anywhere, or disconnects after its last byte: then it may be stored.
    const cut = random.between(0, value.length + 1);
    const outcome = await send({
      method: 'PUT',
      path: `${pathOf(key)}?ifExists=${mode}`,
      headers: condition ? { 'If-None-Match': '*' } : {},
      body: bytesOf(value),
      sized,
      disconnect: random.chance(0.05) ? { sent: cut } : undefined,
    });
    assert.notEqual(outcome, 'broken');
    if (typeof outcome !== 'string') {
      judgePut(key, value, mode, toldBy(outcome), tolerates, condition ? 412 : 409);
    } else if (sized && cut === value.length) {
      mayHavePut(key, value, mode, true);
    }
  }

  async function get(key: ModelKey): Promise<void> {
    const start = random.between(0, 3) * 100;
    const ranged = random.chance(0.2);
    const answer = await send({
      method: 'GET',
      path: pathOf(key),
      headers: ranged ? { Range: `bytes=${start}-${start + 999}` } : {},
      disconnect: disconnectInResponse(),
    });
    assert.notEqual(answer, 'broken');
    if (typeof answer === 'string') return;
    const { status, headers, body } = answer;
    if (status !== 206 && status !== 416) {
      judgeGet(key, toldBy(answer), tolerates, status === 200 ? body : undefined);
      return;
    }
    assert.ok(ranged);
    const total = Number(/\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1]);
    if (status === 416) {
      assert.ok(total <= start);
      key.seesLength(total);
    } else {
      assert.equal(body.length, Math.min(1000, total - start));
      key.sees(body, start, total);
    }
  }

  async function look(key: ModelKey, method: 'HEAD' | 'INFO'): Promise<void> {
    const path = method === 'HEAD' ? pathOf(key) : `/v1/info/${encodeURIComponent(key.key)}`;
    const answer = await send({ method: method === 'HEAD' ? 'HEAD' : 'GET', path });
    assert.ok(typeof answer !== 'string');
    const { status, headers, body } = answer;
    const sizeOf = () =>
      method === 'HEAD'
        ? Number(headers['content-length'])
        : (JSON.parse(body.toString()) as { size: number }).size;
    judgeInfo(key, toldBy(answer), tolerates, status === 200 ? sizeOf() : undefined);
  }

  async function remove(key: ModelKey): Promise<void> {
    const answer = await send({
      method: 'DELETE',
      path: pathOf(key),
      disconnect: disconnectInResponse(),
    });
    assert.notEqual(answer, 'broken');
    if (typeof answer === 'string') key.mayBecome([absent], true);
    else judgeRemove(key, toldBy(answer), tolerates);
  }

  return {
    put,
    get,
    head: (key: ModelKey) => look(key, 'HEAD'),
    info: (key: ModelKey) => look(key, 'INFO'),
    remove,
    /** Reads the key when no operation is in flight, to settle unknown outcomes. */
    async settle(key: ModelKey): Promise<void> {
      const answer = await send({ method: 'GET', path: pathOf(key) });
      assert.ok(typeof answer !== 'string');
      assert.ok(answer.status === 200 || answer.status === 404, `${answer.status}`);
      key.settle(answer.status === 404 ? absent : answer.body);
    },
  };
}

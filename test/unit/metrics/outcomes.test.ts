import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { type ProblemSlug, problemKinds } from '../../../src/errors/problems.ts';
import { HttpMetrics } from '../../../src/metrics/http.ts';
import { OutcomeMetrics } from '../../../src/metrics/outcomes.ts';

const objects = '/v1/objects/{key}';

function create() {
  const registry = new Registry();
  const http = new HttpMetrics(registry, () => 0);
  const outcomes = new OutcomeMetrics(registry, (route, method) => http.requests(route, method));
  const items = async (): Promise<string[]> => {
    const lines = (await registry.metrics()).split('\n');
    const name = 'memcache_gateway_items_total{';
    return lines.filter((line) => line.startsWith(name)).map((line) => line.slice(name.length));
  };
  const ended = (route: string, method: string, ...statuses: number[]) => {
    for (const status of statuses) http.observe(route, method, status, 0.001, 0, 0);
  };
  return { registry, outcomes, ended, items };
}

describe('the items of single requests', () => {
  it('are ok unless a failure was counted, whatever the status', async () => {
    const { outcomes, ended, items } = create();
    ended(objects, 'GET', 200, 200, 206, 304, 404, 503, 0);
    outcomes.singleFailed(objects, 'GET', 'object-not-found');
    outcomes.singleFailed(objects, 'GET', 'arena-full');
    outcomes.singleFailed(objects, 'GET', 'aborted');
    ended(objects, 'PUT', 201);
    ended('/v1/layers/{key}', 'PUT', 201);
    const label = (operation: string, outcome: string) =>
      `http_route="${objects}",operation="${operation}",outcome="${outcome}"}`;
    assert.deepEqual((await items()).sort(), [
      'http_route="/v1/layers/{key}",operation="put",outcome="ok"} 1',
      `${label('get', 'aborted')} 1`,
      `${label('get', 'arena-full')} 1`,
      `${label('get', 'object-not-found')} 1`,
      `${label('get', 'ok')} 4`,
      `${label('put', 'ok')} 1`,
    ]);
  });

  it('have one series for GET and HEAD of information', async () => {
    const { outcomes, ended, items } = create();
    ended('/v1/info/{key}', 'GET', 200, 404);
    ended('/v1/info/{key}', 'HEAD', 200, 404);
    outcomes.singleFailed('/v1/info/{key}', 'GET', 'object-not-found');
    outcomes.singleFailed('/v1/info/{key}', 'HEAD', 'object-not-found');
    assert.deepEqual(await items(), [
      'http_route="/v1/info/{key}",operation="info",outcome="object-not-found"} 2',
      'http_route="/v1/info/{key}",operation="info",outcome="ok"} 2',
    ]);
  });

  it('are those of operations on one object only', async () => {
    const { outcomes, ended, items } = create();
    for (const [route, method] of [
      [objects, 'POST'],
      [objects, 'constructor'],
      ['/v1/keys', 'GET'],
      ['__proto__', 'GET'],
      ['other', 'GET'],
    ] as const) {
      ended(route, method, 405);
      outcomes.singleFailed(route, method, 'method-not-allowed');
    }
    assert.deepEqual(await items(), []);
  });
});

describe('the items of a batch', () => {
  it('are ok unless they have failed', async () => {
    const { outcomes, items } = create();
    const failed = new Map<ProblemSlug, number>([
      ['no-room', 2],
      ['engine-timeout', 1],
    ]);
    outcomes.batch('/v1/batch/put', 10, failed);
    outcomes.batch('/v1/batch/put', 5, new Map());
    outcomes.batch('/v1/batch/put', 3, 'arena-full');
    const label = (outcome: string) =>
      `http_route="/v1/batch/put",operation="put",outcome="${outcome}"}`;
    assert.deepEqual((await items()).sort(), [
      `${label('arena-full')} 3`,
      `${label('engine-timeout')} 1`,
      `${label('no-room')} 2`,
      `${label('ok')} 12`,
    ]);
  });
});

describe('the items of a removal by prefix', () => {
  it('are removals', async () => {
    const { outcomes, items } = create();
    outcomes.batch('/v1/keys', 5, new Map([['aborted', 2]]));
    assert.deepEqual((await items()).sort(), [
      'http_route="/v1/keys",operation="remove",outcome="aborted"} 2',
      'http_route="/v1/keys",operation="remove",outcome="ok"} 3',
    ]);
  });
});

describe('problems', () => {
  it('have at most one series for each problem, however many there are', async () => {
    const { registry, outcomes } = create();
    const slugs = Object.keys(problemKinds) as ProblemSlug[];
    for (const slug of [...slugs, ...slugs]) outcomes.problem(slug);
    const text = await registry.metrics();
    const lines = text
      .split('\n')
      .filter((line) => /^memcache_gateway_problems_total\{/.test(line));
    assert.equal(lines.length, slugs.length);
    assert.ok(lines.every((line) => line.endsWith(' 2')));
  });
});

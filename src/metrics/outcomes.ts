import type { ItemFailure, ProblemSlug } from '../errors/problems.ts';
import { registerPolled } from './polled.ts';
import type { MetricSink } from './registry.ts';

/** The operation of a request for one object, by route and method. An object that consists of layers is one item. */
const singles: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map([
  [
    '/v1/objects/{key}',
    new Map([
      ['GET', 'get'],
      ['HEAD', 'info'],
      ['PUT', 'put'],
      ['DELETE', 'remove'],
    ]),
  ],
  [
    '/v1/info/{key}',
    new Map([
      ['GET', 'info'],
      ['HEAD', 'info'],
    ]),
  ],
  [
    '/v1/layers/{key}',
    new Map([
      ['GET', 'get'],
      ['HEAD', 'info'],
      ['PUT', 'put'],
    ]),
  ],
]);
const BATCHES = '/v1/batch/';
/** Its only operation on objects removes those with a prefix; a list has no items. */
const KEYS = '/v1/keys';

type Counts = Map<string, number>;

/**
 * Items by operation and outcome, and problems. For single requests only failures are counted when they
 * happen: a scrape derives the successes from the number of requests, so a success costs nothing.
 */
export class OutcomeMetrics {
  readonly #requests: (route: string, method: string) => number;
  /** Of single requests: the items that failed, by route and method. */
  readonly #failed = new Map<string, Map<string, Counts>>();
  /** Of batches and removals by prefix: all items, by route. */
  readonly #batches = new Map<string, Counts>();
  readonly #problems: Counts = new Map();

  /** `requests` is the number of requests that have ended. */
  constructor(registry: MetricSink, requests: (route: string, method: string) => number) {
    this.#requests = requests;
    registerPolled(registry, {
      name: 'memcache_gateway_items_total',
      help: 'Objects that requests have asked for, by route, operation and outcome: ok, the problem, or aborted if the client disconnected before the outcome was known. A single request has one item. A batch that is refused before its keys are read has none. A removal by prefix has the objects that it has found, and none with dryRun.',
      type: 'counter',
      read: () => [...this.#ofSingles(), ...this.#ofBatches()],
    });
    registerPolled(registry, {
      name: 'memcache_gateway_problems_total',
      help: 'Requests that a worker has refused or failed, by problem. Bytes that are not HTTP count too.',
      type: 'counter',
      read: () => [...this.#problems].map(([problem, value]) => ({ value, labels: { problem } })),
    });
  }

  /** A response that is a problem. */
  problem(problem: ProblemSlug): void {
    add(this.#problems, problem, 1);
  }

  /** A request for one object that did not succeed; ignored for other routes and methods. */
  singleFailed(route: string, method: string, outcome: ItemFailure): void {
    if (singles.get(route)?.has(method) !== true) return;
    const methods = this.#failed.get(route) ?? new Map<string, Counts>();
    this.#failed.set(route, methods);
    const counts = methods.get(method) ?? new Map<string, number>();
    methods.set(method, counts);
    add(counts, outcome, 1);
  }

  /** A batch or a removal by prefix of `items`, of which these have failed; or all of them with one outcome. */
  batch(
    route: string,
    items: number,
    failed: ReadonlyMap<ItemFailure, number> | ItemFailure,
  ): void {
    const counts = this.#batches.get(route) ?? new Map<string, number>();
    this.#batches.set(route, counts);
    if (typeof failed === 'string') {
      add(counts, failed, items);
      return;
    }
    let ok = items;
    for (const [problem, count] of failed) {
      add(counts, problem, count);
      ok -= count;
    }
    add(counts, 'ok', ok);
  }

  *#ofSingles() {
    for (const [route, methods] of singles) {
      const sums = new Map<string, Counts>();
      for (const [method, operation] of methods) {
        const total = this.#requests(route, method);
        if (total === 0) continue;
        const counts = sums.get(operation) ?? new Map<string, number>();
        sums.set(operation, counts);
        let ok = total;
        for (const [outcome, count] of this.#failed.get(route)?.get(method) ?? []) {
          add(counts, outcome, count);
          ok -= count;
        }
        add(counts, 'ok', ok);
      }
      for (const [operation, counts] of sums) yield* samples(route, operation, counts);
    }
  }

  *#ofBatches() {
    for (const [route, counts] of this.#batches) {
      const operation = route === KEYS ? 'remove' : route.slice(BATCHES.length);
      yield* samples(route, operation, counts);
    }
  }
}

function add(counts: Counts, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}

function* samples(route: string, operation: string, counts: Counts) {
  for (const [outcome, value] of counts) {
    yield { value, labels: { http_route: route, operation, outcome } };
  }
}

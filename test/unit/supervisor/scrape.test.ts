import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LastMetrics } from '../../../src/supervisor/processes/last-metrics.ts';
import { createScrape, type PoolSamples } from '../../../src/supervisor/scrape.ts';

const named = (name: string) => [{ name }];
const ms = 1000;

/** A worker that responds when the test says so, and is replaced when it ends. */
function place() {
  let asked = 0;
  const start = () =>
    new LastMetrics((id) => {
      asked = id;
    });
  let metrics = start();
  return {
    answers: true,
    get asked() {
      return asked;
    },
    collect(deadlineMs: number) {
      if (!this.answers) return Promise.resolve(false);
      return metrics.collect(deadlineMs);
    },
    tell: (name: string) => metrics.collected(asked, named(name)),
    end() {
      const reported = metrics.end();
      metrics = start();
      return reported;
    },
    get metrics() {
      return metrics.last;
    },
  };
}

function scrapeOf(places: ReturnType<typeof place>[], collectMs = ms) {
  const seen: PoolSamples[] = [];
  const scrape = createScrape({
    sources: places,
    collectMs,
    render: (samples) => {
      seen.push(samples);
      const ended = samples.ended.flat().map(({ name }) => name);
      return Promise.resolve({
        contentType: 'text/plain',
        body: `scrape ${seen.length}`,
        ended: ended.length > 0 ? named(ended.join('+')) : [],
      });
    },
  });
  return { scrape, last: () => seen.at(-1) };
}

describe('a scrape', () => {
  it('is shared by all requests during it, but not by later ones', async () => {
    const [a, b] = [place(), place()];
    const { scrape, last } = scrapeOf([a, b]);
    const texts = [scrape.text(), scrape.text(), scrape.text()];
    assert.deepEqual([a.asked, b.asked], [1, 1]);
    a.tell('a');
    b.tell('b');
    for (const { body } of await Promise.all(texts)) assert.equal(body, 'scrape 1');
    assert.deepEqual(last(), { live: [named('a'), named('b')], silent: [], ended: [] });
    const next = scrape.text();
    a.tell('a2');
    b.tell('b2');
    assert.deepEqual(await next, { contentType: 'text/plain', body: 'scrape 2' });
  });

  it('uses the last values of a worker that does not respond in time, and omits one that never has', async () => {
    const [a, b, c] = [place(), place(), place()];
    const { scrape, last } = scrapeOf([a, b, c], 20);
    const first = scrape.text();
    a.tell('a');
    b.tell('b');
    await first;
    const second = scrape.text();
    a.tell('a2');
    await second;
    assert.deepEqual(last(), { live: [named('a2')], silent: [named('b')], ended: [] });
    b.tell('late');
    b.answers = false;
    const third = scrape.text();
    a.tell('a3');
    await third;
    assert.deepEqual(last()?.silent, [named('late')]);
  });

  it('keeps counting a dead worker without waiting for it, together with earlier ones', async () => {
    const [a, b] = [place(), place()];
    const { scrape, last } = scrapeOf([a, b]);
    const end = (one: ReturnType<typeof place>) => {
      const reported = one.end();
      if (reported !== undefined) scrape.workerEnded(reported);
    };
    const first = scrape.text();
    a.tell('a');
    end(b);
    await first;
    assert.deepEqual(
      last(),
      { live: [named('a')], silent: [], ended: [] },
      'it never reported anything',
    );
    const second = scrape.text();
    b.tell('b');
    end(a);
    await second;
    assert.deepEqual(last(), { live: [named('b')], silent: [], ended: [named('a')] });
    end(b);
    a.answers = false;
    b.answers = false;
    await scrape.text();
    assert.deepEqual(last(), { live: [], silent: [], ended: [named('a'), named('b')] });
    await scrape.text();
    assert.deepEqual(last()?.ended, [named('a+b')]);
  });

  it('gives the samples of workers without adding them up, until more than eight have ended', async () => {
    const one = place();
    const { scrape, last } = scrapeOf([one]);
    const sample = async () => {
      const samples = scrape.samples();
      one.tell('a');
      return samples;
    };
    for (let at = 0; at < 8; at++) scrape.workerEnded(named(`e${at}`));
    const { live, silent, ended } = await sample();
    assert.deepEqual([live, silent, ended.length], [[named('a')], [], 8]);
    assert.equal(last(), undefined);
    scrape.workerEnded(named('e8'));
    one.answers = false;
    assert.deepEqual((await scrape.samples()).ended, [named('e0+e1+e2+e3+e4+e5+e6+e7+e8')]);
    assert.equal(last()?.ended.length, 9);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createScrape, type PoolSamples } from '../../../src/pool/scrape.ts';
import { createSlotMetrics } from '../../../src/pool/slot-metrics.ts';

const named = (name: string) => [{ name }];
const ms = 1000;

/** A worker that is asked, and answers when told. */
function place() {
  const metrics = createSlotMetrics();
  let asked = 0;
  return {
    answers: true,
    get asked() {
      return asked;
    },
    collect(deadlineMs: number) {
      if (!this.answers) return Promise.resolve(false);
      return metrics.ask((id) => {
        asked = id;
      }, deadlineMs);
    },
    tell: (name: string) => metrics.collected(asked, named(name)),
    end: () => metrics.end(),
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
      const gone = samples.gone.flat().map(({ name }) => name);
      return Promise.resolve({
        contentType: 'text/plain',
        body: `scrape ${seen.length}`,
        gone: gone.length > 0 ? named(gone.join('+')) : [],
      });
    },
  });
  return { scrape, last: () => seen.at(-1) };
}

describe('a scrape', () => {
  it('is one for all who ask while it lasts, and another for who comes later', async () => {
    const [a, b] = [place(), place()];
    const { scrape, last } = scrapeOf([a, b]);
    const texts = [scrape.text(), scrape.text(), scrape.text()];
    assert.deepEqual([a.asked, b.asked], [1, 1]);
    a.tell('a');
    b.tell('b');
    for (const { body } of await Promise.all(texts)) assert.equal(body, 'scrape 1');
    assert.deepEqual(last(), { live: [named('a'), named('b')], silent: [], gone: [] });
    const next = scrape.text();
    a.tell('a2');
    b.tell('b2');
    assert.deepEqual(await next, { contentType: 'text/plain', body: 'scrape 2' });
  });

  it('counts who does not answer in time as it last told, and not at all who never has', async () => {
    const [a, b, c] = [place(), place(), place()];
    const { scrape, last } = scrapeOf([a, b, c], 20);
    const first = scrape.text();
    a.tell('a');
    b.tell('b');
    await first;
    const second = scrape.text();
    a.tell('a2');
    await second;
    assert.deepEqual(last(), { live: [named('a2')], silent: [named('b')], gone: [] });
    b.tell('late');
    b.answers = false;
    const third = scrape.text();
    a.tell('a3');
    await third;
    assert.deepEqual(last()?.silent, [named('late')]);
  });

  it('goes on counting who is gone, without waiting for it, in one with all before it', async () => {
    const [a, b] = [place(), place()];
    const { scrape, last } = scrapeOf([a, b]);
    const end = (one: ReturnType<typeof place>) => {
      const told = one.end();
      if (told !== undefined) scrape.ended(told);
    };
    const first = scrape.text();
    a.tell('a');
    end(b);
    await first;
    assert.deepEqual(
      last(),
      { live: [named('a')], silent: [], gone: [] },
      'it never told anything',
    );
    const second = scrape.text();
    b.tell('b');
    end(a);
    await second;
    assert.deepEqual(last(), { live: [named('b')], silent: [], gone: [named('a')] });
    end(b);
    a.answers = false;
    b.answers = false;
    await scrape.text();
    assert.deepEqual(last(), { live: [], silent: [], gone: [named('a'), named('b')] });
    await scrape.text();
    assert.deepEqual(last()?.gone, [named('a+b')]);
  });
});

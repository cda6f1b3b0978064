import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../src/errors/problems.ts';
import { Access } from '../../../src/http/security/access.ts';
import { emptyHistory } from '../../../src/messages/history.ts';
import { links } from '../../../src/status-page/links.ts';
import {
  bytes,
  duration,
  milliseconds,
  percent,
  plain,
  roundBytes,
  roundMaximum,
} from '../../../src/status-page/numbers.ts';
import { parseStatusQuery } from '../../../src/status-page/query.ts';
import { rightsOf } from '../../../src/status-page/rights.ts';
import { renderStatusPage, type StatusFigures } from '../../../src/status-page/status-page.ts';
import { pageFields } from '../../../src/status-page/style.ts';
import { allRights, busyHistory } from '../../helpers/http/status-figures.ts';

const pageOf = (figures: Partial<StatusFigures> = {}): string =>
  renderStatusPage({
    rights: allRights,
    refreshes: true,
    ready: true,
    clients: [{ device: 5, serviceId: 0, state: 'ready', pid: 1, restarts: 77, uptimeMs: 1000 }],
    history: busyHistory(),
    lookup: undefined,
    ...figures,
  });

describe('the status page', () => {
  it('has no script, and exactly the style that its policy allows', () => {
    const page = pageOf();
    const [, style = ''] = /<style>(.*?)<\/style>/s.exec(page) ?? [];
    const digest = createHash('sha256').update(style).digest('base64');
    assert.match(pageFields['Content-Security-Policy'] ?? '', /^default-src 'none'; /);
    assert.ok(pageFields['Content-Security-Policy']?.includes(`style-src 'sha256-${digest}'`));
    assert.doesNotMatch(page, /<script| on[a-z]+="|style="|<link|<img|https?:\/\//);
  });

  it('names every picture for those who do not see it', () => {
    const pictures = [...pageOf().matchAll(/<svg([^>]*)>(.*?)<\/svg>/gs)];
    assert.ok(pictures.length >= 7);
    for (const [whole, attributes = '', content = ''] of pictures) {
      const isNamed = /role="img" aria-labelledby="/.test(attributes) && content.includes('<title');
      assert.ok(isNamed || attributes.includes('aria-hidden="true"'), whole.slice(0, 100));
    }
    const ids = [...pageOf().matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    assert.equal(new Set(ids).size, ids.length);
  });

  it('links to all pages, and loads itself again until a reader stops that or looks up a key', () => {
    for (const { path } of links) assert.ok(pageOf().includes(`<a href="${path}">`), path);
    assert.match(pageOf(), /<meta http-equiv="refresh" content="30">/);
    assert.doesNotMatch(pageOf({ refreshes: false }), /http-equiv/);
    assert.deepEqual(parseStatusQuery(''), { key: undefined, refreshes: true });
    assert.deepEqual(parseStatusQuery('key=&refresh=1'), { key: undefined, refreshes: true });
    assert.deepEqual(parseStatusQuery('refresh=off'), { key: undefined, refreshes: false });
    assert.deepEqual(parseStatusQuery('key=a+b%2Fc'), { key: 'a b/c', refreshes: false });
    for (const nonsense of ['refresh=10', 'keys=a', 'key=a&key=b', 'key=%', 'x']) {
      assert.throws(() => parseStatusQuery(nonsense), { slug: 'invalid-parameter' }, nonsense);
    }
  });

  it('shows a key and the texts of a problem as text', () => {
    const key = '"><script>alert(1)</script>&amp;';
    const outcome = new ProblemError('invalid-key', { detail: 'The key has <b>.' });
    for (const page of [
      pageOf({ lookup: { key, outcome } }),
      pageOf({
        lookup: { key, outcome: { size: 1, replicas: [{ serviceId: 0, medium: '<i>' }] } },
      }),
    ]) {
      assert.doesNotMatch(page, /<script|<b>|<i>/);
      assert.ok(page.includes('value="&quot;>&lt;script>alert(1)&lt;/script>&amp;amp;"'));
    }
  });

  it('shows only the parts that the request may see', () => {
    const none = { pool: false, devices: false, traffic: false };
    const hidden = pageOf({ rights: none });
    assert.doesNotMatch(hidden, /DRAM|role="img"|>77</);
    assert.match(hidden, /scope <code>admin<\/code>, as <code>GET \/v1\/cluster\/capacity<\/code>/);
    assert.match(pageOf({ rights: { ...none, pool: true } }), /DRAM/);
    assert.match(pageOf({ rights: { ...none, devices: true } }), />77</);
    assert.match(pageOf({ rights: { ...none, traffic: true } }), /id="latency-title"/);
  });

  it('says what is missing, when the supervisor does not report or has no figures yet', () => {
    const late = pageOf({ ready: undefined, clients: undefined, history: undefined });
    assert.equal(late.match(/did not report in time/g)?.length, 4);
    const early = pageOf({ history: emptyHistory });
    assert.match(early, /The first figures come/);
    assert.equal(early.match(/No figures yet/g)?.length, 4);
    const { points, ...rest } = busyHistory(1);
    const idle = points.map((point) => ({ ...point, meanMs: null, mostMs: null, hitRatio: null }));
    const quiet = pageOf({ history: { ...rest, points: idle } });
    assert.equal(quiet.match(/No such requests in this time/g)?.length, 2);
    assert.match(pageOf({ ready: false, reason: 'It <starts>.' }), /not ready\. It &lt;starts>\./);
  });

  it('draws no line over a time without samples, and a single sample as a short line', () => {
    const linesOf = (page: string) => /class="first" d="([^"]*)"\/>\n<\/svg>/.exec(page)?.[1] ?? '';
    const { points, ...rest } = busyHistory();
    const whole = linesOf(pageOf());
    assert.equal(whole.match(/M/g)?.length, 1);
    const cut = points.filter((_, at) => at < 20 || at > 30);
    assert.equal(linesOf(pageOf({ history: { ...rest, points: cut } })).match(/M/g)?.length, 2);
    const single = linesOf(pageOf({ history: { ...rest, points: points.slice(-1) } }));
    assert.match(single, /^M[\d.]+ [\d.]+H[\d.]+$/);
  });
});

describe('the rights on the status page', () => {
  const config = {
    host: '127.0.0.1',
    port: 0,
    listen: [],
    tlsClientScopes: [],
    protect: [] as ('metrics' | 'docs')[],
  };
  const grant = { id: 'a', prefixes: [], scopes: ['read' as const] };
  const rights = (access: Access, scopes: ('read' | 'admin')[]) =>
    rightsOf({ gateway: { access }, grant: { ...grant, scopes } });

  it('are those of the operations with the same figures', () => {
    const access = new Access(config, []);
    assert.deepEqual(rights(access, ['read']), { pool: false, devices: false, traffic: true });
    assert.deepEqual(rights(access, ['admin']), allRights);
  });

  it('of a request without a token are the open metrics, unless the operator protects them', () => {
    const anonymous = (protect: ('metrics' | 'docs')[]) => {
      const access = new Access({ ...config, protect }, []);
      const identified = access.identify({ headers: {}, socket: {} as never });
      return rightsOf({ gateway: { access }, grant: identified });
    };
    assert.deepEqual(anonymous([]), { pool: false, devices: false, traffic: true });
    assert.deepEqual(anonymous(['metrics']), { pool: false, devices: false, traffic: false });
  });
});

describe('numbers on the status page', () => {
  it('have a unit and three digits', () => {
    assert.deepEqual([0, 0.1234, 1.2345, 12.345, 1234.5].map(plain), [
      '0',
      '0.12',
      '1.23',
      '12.3',
      '1,235',
    ]);
    assert.deepEqual([0, 1023, 1024, 1.5 * 2 ** 30, 2 ** 60].map(bytes), [
      '0 B',
      '1,023 B',
      '1 KiB',
      '1.5 GiB',
      '1,024 PiB',
    ]);
    assert.deepEqual([0.25, 999, 1000].map(milliseconds), ['0.25 ms', '999 ms', '1 s']);
    assert.deepEqual([1000, 119_000, 120_000, 7_200_000, 172_800_000].map(duration), [
      '1 s',
      '119 s',
      '2 min',
      '2 h',
      '2 d',
    ]);
  });

  it('show neither all nor nothing for a part', () => {
    assert.deepEqual([0, 1e-9, 0.5, 1 - 1e-9, 1].map(percent), [
      '0 %',
      '0.1 %',
      '50 %',
      '99.9 %',
      '100 %',
    ]);
  });

  it('have axes that end at or above the largest value', () => {
    assert.deepEqual([0, 0.3, 1, 2.1, 51, 100].map(roundMaximum), [1, 0.5, 1, 5, 100, 100]);
    assert.deepEqual([0, 1024, 1025, 3e6].map(roundBytes), [1024, 1024, 2048, 2 ** 22]);
  });
});

/** The dashboard of deploy/grafana; the matrix entry `prometheus` runs its queries. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { dashboard, dashboardText, queries } from '../../helpers/deploy/dashboard.ts';
import { alerts, metricsIn, recordings } from '../../helpers/deploy/rules.ts';
import { root } from '../../helpers/process/packed.ts';

const rows = dashboard.panels.filter(({ type }) => type === 'row');
const charts = dashboard.panels.filter(({ type }) => type !== 'row');

/** The units of Grafana that the panels use. */
const units = ['short', 'reqps', 'ops', 'cps', 'Bps', 'bytes', 's', 'percentunit'];

/** They tell when a file was read, for a look by hand; the alerts and panels use the faults. */
const notShown = [
  'memcache_gateway_token_file_read_timestamp_seconds',
  'memcache_gateway_tls_files_read_timestamp_seconds',
];

describe('the dashboard', () => {
  it('has a row for each part of the gateway', () => {
    assert.deepEqual(
      rows.map(({ title }) => title),
      [
        ...['Traffic', 'Clients and access', 'Latency', 'Hit ratio'],
        ...['Engine', 'Arena', 'Pool', 'Workers'],
        'Meta service of the distributed engine',
      ],
    );
  });

  it('has panels with an id and a title of their own', () => {
    const { panels } = dashboard;
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length);
  });

  it('has panels with a description, a unit, and queries with a legend', () => {
    for (const { title, description = '', fieldConfig, targets = [] } of charts) {
      assert.match(description, /^[A-Z].*\.$/, title);
      assert.ok(units.includes(fieldConfig?.defaults.unit ?? ''), title);
      assert.ok(targets.length > 0, title);
      assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
      for (const { legendFormat } of targets) assert.notEqual(legendFormat, '', title);
    }
  });

  it('has panels that fill the width and do not overlap', () => {
    const cells = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          assert.equal(cells.get(`${x} ${y}`), undefined, title);
          cells.set(`${x} ${y}`, title);
        }
      }
    }
  });

  it('takes its data source from a variable', () => {
    const [source] = dashboard.templating.list;
    assert.deepEqual(
      [source?.name, source?.type, source?.query],
      ['datasource', 'datasource', 'prometheus'],
    );
    const used = new Set([...dashboardText.matchAll(/"uid": "([^"]+)"/g)].map(([, uid]) => uid));
    used.delete(dashboard.uid);
    assert.deepEqual([...used], [`\${${source?.name}}`]);
  });

  it('shows each metric of docs/metrics.md that no alert watches', () => {
    const page = readFileSync(path.join(root, 'docs/metrics.md'), 'utf8');
    const documented = [...page.matchAll(/^\| `(memcache_gateway_\w+)`/gm)].map(([, name]) => name);
    assert.ok(documented.length > 50, `${documented.length}`);
    const rules = [...alerts, ...recordings].map(({ expr }) => expr);
    const used = new Set(
      [...rules, ...queries.map(({ query }) => query)]
        .flatMap(metricsIn)
        .map((name) => name.replace(/_(bucket|count|sum)$/, '')),
    );
    assert.deepEqual(
      documented.filter((name = '') => !used.has(name) && !notShown.includes(name)),
      [],
    );
    assert.deepEqual(
      notShown.filter((name) => used.has(name) || !documented.includes(name)),
      [],
    );
  });

  it('uses only recording rules that exist', () => {
    const names = new Set(recordings.map(({ record }) => record));
    const used = [...dashboardText.matchAll(/\bmemcache_gateway:[\w:]+/g)].map(([name]) => name);
    assert.ok(used.length > 0);
    assert.deepEqual(
      used.filter((name) => !names.has(name)),
      [],
    );
  });
});

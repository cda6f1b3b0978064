/** The alerts of deploy/prometheus/rules.yaml; the matrix entry `prometheus` runs them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { engineCodes } from '../../../src/errors/engine-codes.ts';
import { problemKinds } from '../../../src/errors/problems.ts';
import { alerts, metricsIn } from '../../helpers/deploy/rules.ts';
import { root } from '../../helpers/process/packed.ts';

const runbook = readFileSync(path.join(root, 'docs/runbook.md'), 'utf8');
const sections = new Map(
  runbook
    .split(/^## /m)
    .slice(1)
    .map((text) => [text.split('\n')[0] ?? '', text]),
);

describe('the alerts', () => {
  it('have one section each in the runbook, in which every section is that of an alert', () => {
    assert.deepEqual([...sections.keys()].sort(), alerts.map(({ alert }) => alert).sort());
  });

  it('name their section, a severity, a summary and a description', () => {
    for (const { alert, labels, annotations } of alerts) {
      assert.equal(annotations['runbook'], `docs/runbook.md#${alert.toLowerCase()}`);
      assert.match(labels['severity'] ?? '', /^(critical|warning)$/, alert);
      assert.match(annotations['summary'] ?? '', /\w$/, alert);
      assert.match(annotations['description'] ?? '', /\.$/, alert);
    }
  });

  it('have sections that say what the alert means, what clients see, how to check, and what to do', () => {
    for (const [name, text] of sections) {
      const parts = [...text.matchAll(/^\*\*([^*]+)\*\*/gm)].map(([, part]) => part);
      assert.deepEqual(parts, ['Meaning.', 'Clients see', 'Check.', 'Do.'], name);
    }
  });

  it('count no code of the engine that is a fault of a request, the state of an object or a full pool', () => {
    const { expr = '' } = alerts.find(({ alert }) => alert.endsWith('EngineErrors')) ?? {};
    const excluded = new Set(/code!~"([^"]*)"/.exec(expr)?.[1]?.split('|').map(Number));
    // -1 is often a missing key.
    const harmless = engineCodes.filter(({ code, problem }) => {
      if (problem === undefined || problem === 'no-room' || code === -1) return true;
      return problemKinds[problem].status < 500;
    });
    assert.deepEqual([...excluded].sort(), harmless.map(({ code }) => code).sort());
  });
});

describe('docs/deployment.md', () => {
  it('puts all rules into a PrometheusRule', () => {
    const page = readFileSync(path.join(root, 'docs/deployment.md'), 'utf8');
    const [, script = ''] = /^```sh\n(\{.*?)^```$/ms.exec(page) ?? [];
    const toOutput = script.replace(/> prometheus-rule\.yaml$/m, '');
    const output = execFileSync('sh', ['-eu'], { cwd: root, input: toOutput, encoding: 'utf8' });
    const rule = parse(output) as { kind: string; spec: unknown };
    assert.equal(rule.kind, 'PrometheusRule');
    const file = readFileSync(path.join(root, 'deploy/prometheus/rules.yaml'), 'utf8');
    assert.deepEqual(rule.spec, parse(file));
  });
});

describe('metricsIn', () => {
  it('finds metrics, and neither functions, labels nor the text of matchers', () => {
    const query =
      'sum without (a_b) (rate(c_total{d_e="f_g"}[5m])) / on (h_i) up{job="x"} > bool h:j_k:l # m_n';
    assert.deepEqual(metricsIn(query), ['c_total', 'up', 'h:j_k:l']);
  });
});

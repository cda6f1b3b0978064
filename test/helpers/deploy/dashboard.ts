/** The dashboard of deploy/grafana, and its queries as Grafana sends them. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../process/packed.ts';

interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat: string;
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly Target[];
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
}

interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly query: string;
    }[];
  };
}

export const dashboardText = readFileSync(
  path.join(root, 'deploy/grafana/memcache-gateway.json'),
  'utf8',
);
export const dashboard = JSON.parse(dashboardText) as Dashboard;

/** A query without the variables of Grafana. */
export const resolved = (expression: string): string =>
  expression.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*');

/** The queries of all panels, with the name that messages give them. */
export const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ refId, expr }) => ({ name: `${title} ${refId}`, query: resolved(expr) })),
);

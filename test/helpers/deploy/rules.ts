/** The rules of deploy/prometheus/rules.yaml. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { root } from '../process/packed.ts';

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Recording {
  readonly record: string;
  readonly expr: string;
}

const { groups } = parse(readFileSync(path.join(root, 'deploy/prometheus/rules.yaml'), 'utf8')) as {
  groups: { rules: (Alert | Recording)[] }[];
};
const rules = groups.flatMap((group) => group.rules);

export const alerts = rules.filter((rule): rule is Alert => 'alert' in rule);
export const recordings = rules.filter((rule): rule is Recording => 'record' in rule);

/**
 * The names of the metrics in a query. The strings of matchers are no names, and the words of the language
 * have no underscore, except those of functions, which precede a parenthesis.
 */
export function metricsIn(query: string): string[] {
  const code = query.replace(/"(?:[^"\\]|\\.)*"/g, '""').replace(/\{[^}]*\}|#.*$/gm, '');
  const labels = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g;
  const names = code.replace(labels, ' ').matchAll(/[a-zA-Z_:][\w:]*(?!\w*\s*\()/g);
  return [...new Set([...names].map(([name]) => name).filter((name) => /_|^up$/.test(name)))];
}

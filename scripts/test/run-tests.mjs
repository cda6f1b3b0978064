/** Runs lanes of test files at the same time and reports them as one run. Started by test.mjs. */

import process from 'node:process';
import { PassThrough } from 'node:stream';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import skipSummary from './skip-summary.mjs';

const { lanes, timeoutMs, pattern, listSkipped } = JSON.parse(process.argv[2]);
const beganMs = performance.now();
const events = new PassThrough({ objectMode: true });
const counts = new Map();

/** The counts of a lane, which are added up, and its time, which says nothing. */
const counted = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/;

function report(stream) {
  let suite = [];
  stream.on('data', (event) => {
    const { type, data } = event;
    const [, name, count] =
      (type === 'test:diagnostic' && data.nesting === 0 && counted.exec(data.message)) || [];
    if (name !== undefined) {
      counts.set(name, (counts.get(name) ?? 0) + Number(count));
      return;
    }
    if (type === 'test:summary') return;
    if (type === 'test:fail' && !isTodo(data)) process.exitCode = 1;
    suite.push(event);
    // Whole suites, since those of the other lane would stand between their lines.
    if (data.nesting === 0 && ['test:pass', 'test:fail'].includes(type)) suite = flush(suite);
  });
  return new Promise((resolve, reject) => {
    stream.on('error', reject);
    stream.on('end', () => {
      flush(suite);
      resolve();
    });
  });
}

const isTodo = ({ todo }) => todo !== undefined && todo !== false;

function flush(suite) {
  for (const event of suite) events.write(event);
  return [];
}

events.compose(new spec()).pipe(process.stdout);
const skipped = listSkipped ? events.compose(skipSummary).toArray() : undefined;
const options = {
  timeout: Number(timeoutMs),
  ...(pattern === undefined ? {} : { testNamePatterns: [pattern] }),
};
await Promise.all(
  lanes.map(({ files, concurrency }) => report(run({ ...options, files, concurrency }))),
);
counts.set('duration_ms', Math.round(performance.now() - beganMs));
for (const [name, count] of counts) {
  events.write({ type: 'test:diagnostic', data: { nesting: 0, message: `${name} ${count}` } });
}
events.end();
for (const text of (await skipped) ?? []) process.stdout.write(text);

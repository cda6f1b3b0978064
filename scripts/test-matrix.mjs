/**
 * Runs tests on other versions of Node and without Node features: `npm run test:matrix -- [NAME…]`, or, with
 * --long, those that are too long for `npm test`: `npm run test:long`.
 * Without a name it runs all entries of its kind; `--list` shows them. Each entry has a
 * deadline, and all together have 20 minutes. The output of an entry is in node_modules/.cache/test-matrix.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { entries } from './matrix/matrix-entries.mjs';
import { limitOf, totalEndMs } from './matrix/matrix-limits.mjs';
import { nodeBinary } from './matrix/node-versions.mjs';
import { FETCH_DEADLINE_MS } from './matrix/version-cache.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const logs = path.join(root, 'node_modules', '.cache', 'test-matrix');

const say = (text) => process.stdout.write(`${text}\n`);

/** The binary of a line; without a line, the installed Node. A download counts against the total. */
function binaryOf(line, endMs) {
  if (line === undefined) return undefined;
  return nodeBinary(line, Math.min(FETCH_DEADLINE_MS, Math.max(1, endMs - Date.now())));
}

/** Runs one entry; resolves with its counts and, if it failed, the reason. */
function run(entry, endMs) {
  const { name, env = {}, files, minutes } = entry;
  // Before the time of the entry starts.
  const node = binaryOf(entry.node, endMs);
  const runner = binaryOf(entry.runner, endMs) ?? process.execPath;
  const limit = limitOf(minutes, endMs - Date.now());
  const logFile = path.join(logs, `${name}.log`);
  const output = fs.openSync(logFile, 'w');
  const testNode = node === undefined ? {} : { TEST_NODE: node };
  const child = spawn(runner, ['scripts/test.mjs', ...files], {
    cwd: root,
    // A process group, so that gateways end with it.
    detached: true,
    stdio: ['ignore', output, output],
    env: { ...process.env, ...testNode, ...env },
  });
  fs.closeSync(output);
  const kill = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // The process has already ended.
    }
  };
  running = kill;
  return new Promise((resolve) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      kill();
    }, limit.deadlineMs);
    child.on('error', (error) => finish(error.message));
    child.on('exit', (code) => {
      if (late) finish(limit.fault);
      else finish(code === 0 ? undefined : `exit code ${code}`);
    });
    function finish(fault) {
      clearTimeout(timer);
      running = () => undefined;
      resolve({ ...countsIn(fs.readFileSync(logFile, 'utf8')), fault, logFile });
    }
  });
}

/** The counts in the summary of node:test; zeros without a summary. */
function countsIn(text) {
  const count = (name) =>
    Number(
      text
        .match(new RegExp(`^ℹ ${name} (\\d+)$`, 'gm'))
        ?.at(-1)
        ?.split(' ')
        .at(-1) ?? 0,
    );
  return { tests: count('tests'), pass: count('pass'), fail: count('fail') + count('cancelled') };
}

function show(entry, result, seconds) {
  const { tests, pass, fail, fault, logFile } = result;
  const verdict = fault === undefined ? 'passed' : `FAILED (${fault})`;
  say(`${entry.name}: ${verdict}, ${pass} of ${tests} tests in ${seconds} s`);
  // An entry that was not started has no output.
  if (fault === undefined || logFile === '') return;
  const text = fs.readFileSync(logFile, 'utf8');
  const from = text.lastIndexOf('failing tests:');
  const excerpt = from < 0 ? text.slice(-4000) : text.slice(from, from + 8000);
  say(`${excerpt}\n${fail} failed; all of it is in ${path.relative(root, logFile)}`);
}

async function runAll(chosen) {
  fs.mkdirSync(logs, { recursive: true });
  const endMs = totalEndMs(Date.now());
  const sum = { tests: 0, pass: 0, fail: 0 };
  const failed = [];
  for (const entry of chosen) {
    const startMs = Date.now();
    let result;
    try {
      result = await run(entry, endMs);
    } catch (error) {
      result = { tests: 0, pass: 0, fail: 0, fault: error.message, logFile: '' };
    }
    // A run that broke off counts as one failure.
    if (result.fault !== undefined) {
      result.fail = Math.max(1, result.fail);
      failed.push(entry.name);
    }
    for (const name of Object.keys(sum)) sum[name] += result[name];
    show(entry, result, Math.round((Date.now() - startMs) / 1000));
  }
  const skipped = Math.max(0, sum.tests - sum.pass - sum.fail);
  for (const [name, count] of Object.entries({ ...sum, skipped })) say(`ℹ ${name} ${count}`);
  if (failed.length > 0) say(`failed entries: ${failed.join(', ')}`);
  say(`${sum.pass} passed, ${sum.fail} failed`);
  return failed.length === 0 ? 0 : 1;
}

/** The entries of these names; without a name all of the wanted kind, which is undefined for most. */
function choose(words, wanted) {
  const known = new Map(entries.map((entry) => [entry.name, entry]));
  const unknown = words.filter((word) => !known.has(word));
  if (unknown.length > 0) {
    throw new Error(`no entry "${unknown.join('", "')}"; known: ${[...known.keys()].join(', ')}`);
  }
  return words.length > 0
    ? words.map((word) => known.get(word))
    : entries.filter(({ kind }) => kind === wanted);
}

let running = () => undefined;
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    running();
    process.exit(1);
  });
}
const words = process.argv.slice(2);
if (words.includes('--help') || words.includes('--list')) {
  say('npm run test:matrix -- [NAME…]; without a name, all that are not marked:');
  for (const { name, kind } of entries) say(`  ${name}${kind === undefined ? '' : ` (${kind})`}`);
} else {
  try {
    process.exitCode = await runAll(
      choose(
        words.filter((word) => word !== '--long'),
        words.includes('--long') ? 'long' : undefined,
      ),
    );
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  }
}

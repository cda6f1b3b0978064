/**
 * Runs the suites named on the command line (all of them without a name), or single test files,
 * through one runner, whose summary comes last and whose verdict is the exit code.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const suites = ['unit', 'engine', 'conformance', 'integration', 'browser'];

function filesOf(name) {
  if (name.endsWith('.test.ts')) return [path.resolve(name)];
  const folder = path.join(root, 'test', name);
  if (!suites.includes(name)) {
    throw new Error(`no suite "${name}"; known: ${suites.join(', ')}, or a file *.test.ts`);
  }
  if (!fs.existsSync(folder)) return [];
  const names = fs.readdirSync(folder, { recursive: true });
  return names
    .filter((file) => file.endsWith('.test.ts'))
    .sort()
    .map((file) => path.join(folder, file));
}

/**
 * Clients of a named engine share the pool of its configuration, and one whose id is 0 makes the pool
 * unusable when it leaves while others stay. So their files run one after another.
 */
const named = (process.env['ENGINE'] ?? '') !== '';

/** A real engine is tried with a part of the suite only, so the last lines say with which. */
const skipSummary = [
  `--test-reporter=${path.join(root, 'scripts', 'skip-summary.mjs')}`,
  '--test-reporter-destination=stdout',
];

function run(files, runnerOptions) {
  const args = [
    '--import',
    'tsx',
    '--test',
    // Test files start gateways, engines and browsers of their own: more files at a time than
    // this would measure the machine instead of the code.
    `--test-concurrency=${named ? 1 : 3}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    ...(named ? skipSummary : []),
    // For a file as for a test: one that hangs has failed.
    '--test-timeout=180000',
  ];
  const child = spawn(process.execPath, [...args, ...runnerOptions, ...files], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, GATEWAY_DEBUG_ARENA: '1' },
  });
  return new Promise((resolve) => {
    child.on('error', (error) => {
      process.stderr.write(`${error.message}\n`);
      resolve(1);
    });
    child.on('exit', (code, signal) => resolve(signal === null ? code : 1));
  });
}

const words = process.argv.slice(2);
const runnerOptions = words.filter((word) => word.startsWith('--'));
const names = words.filter((word) => !word.startsWith('--'));
try {
  const files = (names.length > 0 ? names : suites).flatMap(filesOf);
  if (files.length === 0) throw new Error('no test files found');
  process.exitCode = await run(files, runnerOptions);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}

/**
 * Runs the suites named on the command line (all but that of the browser without a name), or single test
 * files, in one run, whose summary comes last and whose verdict is the exit code. `--test-timeout=` and
 * `--test-name-pattern=` are those of node:test. The browser and some files belong to `npm run test:long`.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { isFresh } from './build.mjs';
import { isLong } from './test/long-tests.mjs';
import { groupFiles, lanesOf } from './test/test-files.mjs';
import { fillCache } from './typescript/typescript-cache.mjs';
import { compiledFile, compileTree, isInTree } from './typescript/typescript-tree.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const loader = new URL('./typescript/load-typescript.mjs', import.meta.url).href;
const suites = ['unit', 'engine', 'conformance', 'integration'];
const known = [...suites, 'browser'];

const isTestFile = (name) => /\.test\.(ts|mjs)$/.test(name);

/** Small files of a suite share processes. A file that is named has one of its own. */
function filesOf(name, importOf) {
  if (isTestFile(name)) return [path.resolve(name)];
  const folder = path.join(root, 'test', name);
  if (!known.includes(name)) {
    throw new Error(
      `no suite "${name}"; known: ${known.join(', ')}, or a file *.test.ts or *.test.mjs`,
    );
  }
  if (!fs.existsSync(folder)) return [];
  const names = fs.readdirSync(folder, { recursive: true });
  const files = names
    .filter((file) => file.endsWith('.test.ts'))
    .sort()
    .map((file) => path.join(folder, file))
    .filter((file) => !isLong(file));
  return groupFiles(files, importOf);
}

/**
 * Clients of a named engine share the pool of its configuration, and one whose id is 0 makes the pool
 * unusable when it leaves while others stay. So their files run one after another.
 */
const named = (process.env['ENGINE'] ?? '') !== '';

function optionsOf(words) {
  const optionOf = { '--test-timeout': 'timeoutMs', '--test-name-pattern': 'pattern' };
  // For a file as for a test: one that hangs has failed.
  const options = { timeoutMs: '300000' };
  for (const word of words) {
    const [name, ...value] = word.split('=');
    if (optionOf[name] === undefined) throw new Error(`no option ${name}`);
    options[optionOf[name]] = value.join('=');
  }
  return options;
}

/** Coverage is measured with the original files, and a file from elsewhere is loaded with the hook. */
function mayCompile(names) {
  const files = names.filter((name) => isTestFile(name) && name.endsWith('.ts'));
  return !process.env['NODE_V8_COVERAGE'] && files.every((file) => isInTree(path.resolve(file)));
}

function run(files, { compiled, ...options }) {
  const programOf = (file) => (compiled && file.endsWith('.ts') ? compiledFile(file) : file);
  const lanes = (named ? [{ files, concurrency: 1 }] : lanesOf(files)).map((lane) => ({
    ...lane,
    files: lane.files.map(programOf),
  }));
  const runner = path.join(root, 'scripts/test/run-tests.mjs');
  // A real engine is tried with a part of the suite only, so the last lines say with which.
  const task = JSON.stringify({ lanes, ...options, listSkipped: named });
  const nodeOptions = compiled ? ['--enable-source-maps'] : ['--import', loader];
  const child = spawn(process.execPath, [...nodeOptions, runner, task], {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      GATEWAY_DEBUG_ARENA: '1',
      TYPESCRIPT_COMPILED: compiled ? 'yes' : 'no',
      TEST_BUILD_IS_FRESH: isFresh() ? 'yes' : 'no',
    },
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
try {
  const options = optionsOf(words.filter((word) => word.startsWith('--')));
  const names = words.filter((word) => !word.startsWith('--'));
  const compiled = mayCompile(names);
  const importOf = compiled ? compiledFile : undefined;
  const files = (names.length > 0 ? names : suites).flatMap((name) => filesOf(name, importOf));
  if (files.length === 0) throw new Error('no test files found');
  if (compiled) compileTree();
  else if (process.env['NODE_V8_COVERAGE']) fillCache(['src', 'packages/client/src', 'test']);
  process.exitCode = await run(files, { ...options, compiled });
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}

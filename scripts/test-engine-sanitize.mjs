/**
 * The stress tests of the embedded engine with sanitizers: threads of one process with ThreadSanitizer,
 * threads and processes with random kill -9 with AddressSanitizer and UndefinedBehaviorSanitizer. Needs a
 * compiler with their run-time libraries (gcc or clang on glibc), and takes some minutes.
 *
 *   node scripts/test-engine-sanitize.mjs [rounds of kills, default 200]
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { buildTargets } from './build/compile-native.mjs';
import { engineTests, outputDirectory } from './build/native-targets.mjs';

const rounds = process.argv[2] ?? '200';
const flavours = {
  plain: ['-O2'],
  thread: ['-O1', '-fsanitize=thread'],
  address: [
    '-O1',
    '-fsanitize=address,undefined',
    '-fno-sanitize-recover=all',
    '-fno-omit-frame-pointer',
  ],
};
const runs = [
  ['thread', 'bitmap'],
  ['thread', 'conformance'],
  ['thread', 'stress_threads', '10000'],
  ['thread', 'locks'],
  ['thread', 'waits'],
  ['thread', 'eviction'],
  ['thread', 'listing'],
  ['address', 'bitmap'],
  ['address', 'conformance'],
  ['address', 'processes'],
  ['address', 'deaths'],
  ['address', 'locks'],
  ['address', 'waits'],
  ['address', 'destroyed'],
  ['address', 'overwritten', '2'],
  ['address', 'eviction'],
  ['address', 'listing'],
  ['address', 'room'],
  ['address', 'truncated', '1000'],
  ['address', 'stress_threads', '5000'],
  ['address', 'stress_kills', rounds],
  ['plain', 'huge'],
  ['plain', 'instructions', '7'],
];

// Instrumented code and other load on the machine slow down the recovery.
const environment = {
  ...process.env,
  ENGINE_TEST_SLACK_MS: process.env['ENGINE_TEST_SLACK_MS'] ?? '400',
  TSAN_OPTIONS: 'halt_on_error=1',
  ASAN_OPTIONS: 'detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
};

const say = (line) => process.stdout.write(`${line}\n`);

function execute([flavour, ...args]) {
  return new Promise((resolve) => {
    const program = path.join(outputDirectory, `engine-test-${flavour}`);
    const child = spawn(program, args, { stdio: 'inherit', env: environment });
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signal) => {
      resolve(code === 0 ? 'ok' : `FAILED (${signal ?? `exit code ${code}`})`);
    });
  });
}

const programs = Object.entries(flavours).map(([name, flags]) =>
  engineTests(`engine-test-${name}`, flags),
);
say('building with the sanitizers');
await buildTargets(programs, { verbose: true });

const results = [];
for (const run of runs) {
  const name = run.join(' ');
  say(`--- ${name}`);
  const start = performance.now();
  const outcome = await execute(run);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  results.push({ name, outcome, seconds });
  say(`--- ${name}: ${outcome} in ${seconds} s`);
}

say('\nsummary');
for (const { name, outcome, seconds } of results) {
  say(`  ${name.padEnd(32)} ${seconds.padStart(6)} s  ${outcome}`);
}
const failed = results.filter(({ outcome }) => outcome !== 'ok').length;
say(
  failed === 0 ? `all ${results.length} runs clean` : `${failed} of ${results.length} runs FAILED`,
);
process.exitCode = failed === 0 ? 0 : 1;

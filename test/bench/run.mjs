// npm run bench: measures the gateway on this machine, as ratios to bare node:http servers or to
// another commit in the same run. Exits with 1 when a target is missed.
import { compareWith } from './against.mjs';
import { helpText, readArguments } from './arguments.mjs';
import { bufferTargets } from './buffers/buffer-targets.mjs';
import { rows } from './comparison-rows.mjs';
import { generator } from './load.mjs';
import { Run } from './measure.mjs';
import { resourceTargets } from './resource-targets.mjs';
import { loadTargets } from './targets.mjs';

const benchmarks = { ...loadTargets, ...resourceTargets, ...bufferTargets };
const names = { targets: Object.keys(benchmarks), rows: Object.keys(rows) };

/** Runs the benchmarks that the arguments select; resolves with the exit code. */
async function main(options) {
  if (options.help) {
    process.stdout.write(helpText(names));
    return 0;
  }
  if (options.against !== undefined) return compareWith(options);
  const { rounds, seconds } = options;
  process.stdout.write(
    `Node ${process.version}, ${generator}, ${rounds} rounds of ${seconds} s each\n`,
  );
  const run = new Run({ rounds, seconds });
  for (const name of options.names) await benchmarks[name](run);
  return run.results.some(({ passed }) => passed === false) ? 1 : 0;
}

function refuse(error) {
  process.stderr.write(`bench: ${error.message}\n`);
  return 2;
}

let options;
try {
  options = readArguments(process.argv.slice(2), names);
} catch (error) {
  process.exitCode = refuse(error);
}
if (options !== undefined) {
  process.exitCode = await main(options).catch((error) => {
    if (error.name === 'CommitTreeError') return refuse(error);
    throw error;
  });
}

/**
 * Builds the C libraries into build/native. It runs at install, at start and before tests, so the common
 * case (nothing to do) must take only a few milliseconds.
 *
 *   --fixtures     also the libraries and programs that replace real ones in tests
 *   --bench        also engine-bench
 *   --tests        also engine-test
 *   --if-possible  without a compiler, only warn
 *   --verbose      print what is fresh and what is built
 */
import fs from 'node:fs';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { buildTargets, CompilerMissingError, sourcesOf } from './build/compile-native.mjs';
import { targets } from './build/native-targets.mjs';

/**
 * Builds the engine and the other libraries whose sources exist.
 *
 * @param {{fixtures?: boolean, bench?: boolean, tests?: boolean, verbose?: boolean}} [options]
 * @returns {Promise<{engine: string, built: string[]}>} the path of the engine, and the compiled outputs
 */
export async function buildEngine(options = {}) {
  const wanted = [targets.engine, targets.reserve, targets.regions];
  if (options.fixtures) wanted.push(targets.injecting, targets.stopping, targets.tracing);
  if (options.bench) wanted.push(targets.bench);
  if (options.tests) wanted.push(targets.tests);
  const present = wanted.filter((target) => sourcesOf(target).length > 0);
  const built = await buildTargets(present, options);
  return { engine: targets.engine.output, built };
}

async function main(args) {
  const known = ['--fixtures', '--bench', '--tests', '--verbose', '--if-possible'];
  const unknown = args.filter((arg) => !known.includes(arg));
  if (unknown.length > 0) {
    process.stderr.write(`unknown option ${unknown.join(' ')}; known: ${known.join(' ')}\n`);
    return 2;
  }
  const has = (flag) => args.includes(flag);
  try {
    await buildEngine({
      fixtures: has('--fixtures'),
      bench: has('--bench'),
      tests: has('--tests'),
      verbose: has('--verbose'),
    });
    return 0;
  } catch (error) {
    if (has('--if-possible') && error instanceof CompilerMissingError) {
      process.stderr.write(`warning: ${error.message}\n`);
      return 0;
    }
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(fs.realpathSync(process.argv[1])).href) {
  process.exitCode = await main(process.argv.slice(2));
}

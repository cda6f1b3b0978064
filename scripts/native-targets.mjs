/** The C libraries and programs of this project: sources, flags and where they go. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
export const outputDirectory = path.join(root, 'build', 'native');

export const engineDirectory = path.join(root, 'src', 'native', 'engine');

// None for the processor at hand: what is built in an image runs elsewhere.
const commonFlags = ['-std=c11', '-g', '-pthread', '-Wall', '-Wextra', '-Werror'];
const libraryFlags = [...commonFlags, '-O3', '-fPIC', '-shared', '-fvisibility=hidden'];
const engineFlags = ['-D_GNU_SOURCE'];

/**
 * A target has `output`, `sources` (folders, of which their *.c files), `headers` (further folders
 * to include from), `flags` and `libraries`.
 */
export const targets = {
  engine: {
    output: path.join(outputDirectory, 'libmcg_embedded.so'),
    sources: [engineDirectory],
    // nodelete: its threads must not find the code gone after a dlclose.
    flags: [...libraryFlags, ...engineFlags, '-Wl,-z,nodelete'],
    libraries: ['-lrt'],
  },
  reserve: {
    output: path.join(outputDirectory, 'libmcg_reserve.so'),
    sources: [path.join(root, 'src', 'native', 'reserve')],
    flags: libraryFlags,
    libraries: [],
  },
  injecting: {
    output: path.join(outputDirectory, 'libmcg_injecting.so'),
    sources: [path.join(root, 'test', 'fixtures', 'injecting')],
    headers: [engineDirectory],
    flags: libraryFlags,
    libraries: ['-ldl', '-lrt'],
  },
  // The engine once more, which can be stopped while it holds a lock.
  stopping: {
    output: path.join(outputDirectory, 'libmcg_stopping.so'),
    sources: [engineDirectory, path.join(root, 'test', 'fixtures', 'stopping')],
    flags: [...libraryFlags, ...engineFlags, '-DMCG_STOP_POINTS', '-Wl,-z,nodelete'],
    libraries: ['-lrt'],
  },
  // Holds a process as a native debugger does.
  tracing: {
    output: path.join(outputDirectory, 'mcg-hold'),
    sources: [path.join(root, 'test', 'fixtures', 'tracing')],
    flags: commonFlags,
    libraries: [],
  },
  bench: {
    output: path.join(outputDirectory, 'engine-bench'),
    sources: [engineDirectory, path.join(engineDirectory, 'bench')],
    flags: [...commonFlags, '-O3', ...engineFlags],
    libraries: ['-lrt'],
  },
  tests: engineTests('engine-test', ['-O2']),
};

/** The engine's C test programs in one executable, compiled with further flags. */
export function engineTests(name, flags) {
  return {
    output: path.join(outputDirectory, name),
    sources: [engineDirectory, path.join(engineDirectory, 'test')],
    flags: [...commonFlags, ...engineFlags, ...flags],
    libraries: ['-lrt'],
  };
}

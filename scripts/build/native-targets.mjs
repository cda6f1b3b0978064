/** The C libraries and programs of this repository: sources, flags and outputs. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(fileURLToPath(import.meta.url), '../../..');
export const outputDirectory = path.join(root, 'build', 'native');

export const engineDirectory = path.join(root, 'embedded-engine');
const regionsDirectory = path.join(root, 'native-helpers', 'regions');

/** The folders of the embedded engine; its tests and its benchmark are separate programs. */
const engineFolders = ['abi', 'pool', 'objects', 'eviction', 'recovery'].map((name) =>
  path.join(engineDirectory, name),
);

// No flags for the local processor: an image built here runs on other machines.
const commonFlags = ['-std=c11', '-g', '-pthread', '-Wall', '-Wextra', '-Werror'];
const libraryFlags = [...commonFlags, '-O3', '-fPIC', '-shared', '-fvisibility=hidden'];
const engineFlags = ['-D_GNU_SOURCE'];

/**
 * A target has `output`, `sources` (folders, with all their *.c files), `headers` (further include
 * folders), `flags` and `libraries`.
 */
export const targets = {
  engine: {
    output: path.join(outputDirectory, 'libmcg_embedded.so'),
    sources: engineFolders,
    // nodelete: the code must stay in memory after a dlclose, because its threads still run.
    flags: [...libraryFlags, ...engineFlags, '-Wl,-z,nodelete'],
    libraries: ['-lrt'],
  },
  reserve: {
    output: path.join(outputDirectory, 'libmcg_reserve.so'),
    sources: [path.join(root, 'native-helpers', 'reserve')],
    flags: libraryFlags,
    libraries: [],
  },
  regions: {
    output: path.join(outputDirectory, 'libmcg_regions.so'),
    sources: [regionsDirectory],
    // nodelete: the signal handler must stay in memory.
    flags: [...libraryFlags, '-Wl,-z,nodelete'],
    libraries: [],
  },
  injecting: {
    output: path.join(outputDirectory, 'libmcg_injecting.so'),
    sources: [path.join(root, 'test', 'fixtures', 'injecting')],
    headers: engineFolders,
    flags: libraryFlags,
    libraries: ['-ldl', '-lrt'],
  },
  // A second build of the engine that can be stopped while it holds a lock.
  stopping: {
    output: path.join(outputDirectory, 'libmcg_stopping.so'),
    sources: [...engineFolders, path.join(root, 'test', 'fixtures', 'stopping')],
    flags: [...libraryFlags, ...engineFlags, '-DMCG_STOP_POINTS', '-Wl,-z,nodelete'],
    libraries: ['-lrt'],
  },
  // Stops a process like a native debugger.
  tracing: {
    output: path.join(outputDirectory, 'mcg-hold'),
    sources: [path.join(root, 'test', 'fixtures', 'tracing')],
    flags: commonFlags,
    libraries: [],
  },
  bench: {
    output: path.join(outputDirectory, 'engine-bench'),
    sources: [...engineFolders, path.join(engineDirectory, 'bench')],
    flags: [...commonFlags, '-O3', ...engineFlags],
    libraries: ['-lrt'],
  },
  tests: engineTests('engine-test', ['-O2']),
};

/** The C test programs of the engine in one executable, compiled with further flags. */
export function engineTests(name, flags) {
  return {
    output: path.join(outputDirectory, name),
    sources: [...engineFolders, regionsDirectory, path.join(engineDirectory, 'test')],
    flags: [...commonFlags, ...engineFlags, ...flags],
    libraries: ['-lrt'],
  };
}

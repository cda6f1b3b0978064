/**
 * Builds the project's C libraries into build/native, and only what is stale.
 *
 * It runs at install, at start and before tests, so the common case (nothing to do) must cost
 * a few milliseconds: a library is fresh when the stamp beside it names the same sources, flags
 * and compiler. A fresh library needs no compiler at all, as in the final stage of an image.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
export const outputDirectory = path.join(root, 'build', 'native');

const engineDirectory = path.join(root, 'src', 'native', 'engine');
const warnings = ['-Wall', '-Wextra', '-Werror'];
const baseFlags = ['-std=c11', '-O3', '-g', '-pthread', '-fvisibility=hidden', ...warnings];
const libraryFlags = [...baseFlags, '-fPIC', '-shared'];
const engineFlags = ['-D_GNU_SOURCE'];

/** The libraries and programs this project can build; see `buildTargets` for the fields. */
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
  bench: {
    output: path.join(outputDirectory, 'engine-bench'),
    sources: [engineDirectory, path.join(engineDirectory, 'bench')],
    flags: [...baseFlags, ...engineFlags],
    libraries: ['-lrt'],
  },
};

/** Thrown when something is stale and no C compiler is at hand; the message says what to install. */
export class CompilerMissingError extends Error {
  constructor(tried) {
    super(
      [
        `no C compiler found (tried ${tried.join(', ')}); the embedded engine cannot be built.`,
        '  Debian, Ubuntu:  apt-get install gcc libc6-dev',
        '  Alpine:          apk add gcc musl-dev linux-headers',
        '  Fedora:          dnf install gcc glibc-devel',
        '  or set CC to a C11 compiler. The distributed engine needs none:',
        '  GATEWAY_ENGINE=/path/libmf_memcache.so',
      ].join('\n'),
    );
    this.name = 'CompilerMissingError';
  }
}

/**
 * Brings the engine (and, if their sources exist, the companion libraries) up to date.
 *
 * @param {{fixtures?: boolean, bench?: boolean, verbose?: boolean}} [options]
 * @returns {Promise<{engine: string, built: string[]}>} the engine's path, and what was compiled
 */
export async function buildEngine(options = {}) {
  const wanted = [targets.engine, targets.reserve];
  if (options.fixtures) wanted.push(targets.injecting);
  if (options.bench) wanted.push(targets.bench);
  const present = wanted.filter((target) => sourcesOf(target).length > 0);
  const built = await buildTargets(present, options);
  return { engine: targets.engine.output, built };
}

/**
 * Compiles each target whose stamp is out of date, one after another.
 * A target has `output`, `sources` (folders, their *.c files; or files), `headers` (further
 * folders to include from), `flags` and `libraries`.
 *
 * @returns {Promise<string[]>} the outputs that were compiled
 */
export async function buildTargets(list, options = {}) {
  const say = options.verbose ? (line) => process.stderr.write(`${line}\n`) : () => {};
  const compiler = findCompiler();
  const stale = () => list.filter((target) => !isFresh(target, compiler));
  for (const target of list) {
    if (isFresh(target, compiler)) say(`fresh    ${path.relative(root, target.output)}`);
  }
  if (stale().length === 0) return [];
  if (compiler === undefined) throw new CompilerMissingError(compilerNames());
  const release = await acquireLock();
  try {
    const built = [];
    for (const target of stale()) {
      say(`building ${path.relative(root, target.output)}`);
      await compile(target, compiler);
      built.push(target.output);
    }
    return built;
  } finally {
    release();
  }
}

function sourcesOf(target) {
  return target.sources.flatMap((source) => (source.endsWith('.c') ? [source] : list(source, '.c')));
}

function headersOf(target) {
  const folders = new Set(target.sources.map((s) => (s.endsWith('.c') ? path.dirname(s) : s)));
  for (const folder of target.headers ?? []) folders.add(folder);
  return [...folders].flatMap((folder) => list(folder, '.h'));
}

function list(folder, extension) {
  if (!fs.existsSync(folder)) return [];
  const names = fs.readdirSync(folder).filter((name) => name.endsWith(extension));
  return names.sort().map((name) => path.join(folder, name));
}

function includesOf(target) {
  const folders = new Set(headersOf(target).map((header) => path.dirname(header)));
  return [...folders].map((folder) => `-I${folder}`);
}

function digestOf(target) {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([process.arch, target.flags, target.libraries]));
  for (const file of [...sourcesOf(target), ...headersOf(target)]) {
    hash.update(`\0${path.relative(root, file)}\0`).update(fs.readFileSync(file));
  }
  return hash.digest('hex');
}

function stampOf(target) {
  return `${target.output}.stamp`;
}

function isFresh(target, compiler) {
  let stamp;
  try {
    fs.accessSync(target.output);
    stamp = JSON.parse(fs.readFileSync(stampOf(target), 'utf8'));
  } catch {
    return false;
  }
  if (compiler !== undefined && stamp.compiler !== compiler.identity) return false;
  return stamp.digest === digestOf(target);
}

function compilerNames() {
  return process.env['CC'] ? [process.env['CC']] : ['cc', 'gcc', 'clang'];
}

/** Identity by file, size and time instead of `cc --version`: no process for a fresh build. */
function findCompiler() {
  for (const name of compilerNames()) {
    const [command, ...args] = name.trim().split(/\s+/);
    for (const file of candidates(command)) {
      try {
        fs.accessSync(file, fs.constants.X_OK);
        const real = fs.realpathSync(file);
        const { size, mtimeMs } = fs.statSync(real);
        return { command: file, args, identity: `${real} ${args.join(' ')} ${size} ${mtimeMs}` };
      } catch {}
    }
  }
  return undefined;
}

function candidates(command) {
  if (command.includes('/')) return [command];
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter(Boolean);
  return folders.map((folder) => path.join(folder, command));
}

async function compile(target, compiler) {
  const directory = path.dirname(target.output);
  fs.mkdirSync(directory, { recursive: true });
  const digest = digestOf(target);
  const temporary = `${target.output}.${process.pid}.tmp`;
  const args = [
    ...compiler.args,
    ...target.flags,
    ...includesOf(target),
    '-o',
    temporary,
    ...sourcesOf(target),
    ...target.libraries,
  ];
  try {
    await run(compiler.command, args);
    fs.rmSync(stampOf(target), { force: true });
    fs.renameSync(temporary, target.output);
    const stampTemporary = `${stampOf(target)}.${process.pid}.tmp`;
    fs.writeFileSync(stampTemporary, JSON.stringify({ digest, compiler: compiler.identity }));
    fs.renameSync(stampTemporary, stampOf(target));
  } finally {
    fs.rmSync(temporary, { force: true });
  }
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (chunk) => (text += chunk));
    child.stderr.on('data', (chunk) => (text += chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} ${args.join(' ')}\nexited with ${code}\n${text}`));
    });
  });
}

/**
 * One build at a time in this checkout. The lock is an abstract socket, because the kernel lets
 * go of it however its owner ends; a waiter connects to it and tries again when it is closed.
 */
async function acquireLock() {
  const name = createHash('sha256').update(outputDirectory).digest('hex').slice(0, 32);
  const address = `\0memcache-gateway-build-${name}`;
  for (;;) {
    const server = await listen(address);
    if (server !== undefined) return () => server.release();
    await closed(address);
  }
}

function listen(address) {
  return new Promise((resolve, reject) => {
    const waiters = new Set();
    const server = net.createServer((socket) => {
      waiters.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => waiters.delete(socket));
    });
    server.release = () => {
      server.close();
      for (const socket of waiters) socket.destroy();
    };
    server.on('error', (error) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(address, () => resolve(server));
  });
}

function closed(address) {
  return new Promise((resolve) => {
    const socket = net.connect(address);
    socket.resume();
    socket.on('error', () => {});
    socket.on('close', () => setTimeout(resolve, 10));
  });
}

async function main(args) {
  const known = ['--fixtures', '--bench', '--verbose', '--if-possible'];
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

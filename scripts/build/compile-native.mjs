/**
 * Compiles the stale C targets. A target is fresh if the stamp next to its output names the same sources,
 * flags and compiler. A fresh target needs no compiler, as in the final stage of an image.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { acquireBuildLock } from './build-lock.mjs';
import { outputDirectory, root } from './native-targets.mjs';

/** Thrown when a stale target cannot be compiled; the message says what to install. */
export class CompilerMissingError extends Error {
  constructor(reason) {
    super(
      [
        `${reason}; the embedded engine cannot be built.`,
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

const compilingNotice = 'memcache-gateway: compiling the C sources';

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
  if (compiler === undefined) {
    throw new CompilerMissingError(`no C compiler found (tried ${compilerNames().join(', ')})`);
  }
  const release = await acquireBuildLock(outputDirectory);
  try {
    const built = [];
    const due = stale();
    // The first start takes several seconds longer by this.
    if (due.length > 0 && !options.verbose) process.stderr.write(`${compilingNotice}\n`);
    for (const target of due) {
      say(`building ${path.relative(root, target.output)}`);
      await compile(target, compiler);
      built.push(target.output);
    }
    return built;
  } finally {
    release();
  }
}

/** The C files of a target: none if its folder does not exist. */
export function sourcesOf(target) {
  return target.sources.flatMap((source) =>
    source.endsWith('.c') ? [source] : list(source, '.c'),
  );
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

/** Identifies the compiler by file, size and time: `cc --version` would cost a process for each fresh build. */
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
      else reject(failure(`${command} ${args.join(' ')}\nexited with ${code}`, text));
    });
  });
}

/** Headers that a compiler does not include; a missing header of the repository is a defect. */
const cLibrary =
  /^((sys|bits|gnu)\/.*|features|assert|ctype|dirent|dlfcn|errno|fcntl|fnmatch|limits|poll|pthread|sched|signal|stdint|stdio|stdlib|string|time|unistd)\.h$/;
const kernel = /^(linux|asm|asm-generic)\//;

/** A compiler alone is not enough: distributions have separate packages for the headers. */
function failure(what, text) {
  // The messages of gcc and clang.
  const header = /fatal error: '?([\w/-]+\.h)'?(?:: No such file| file not found)/.exec(text)?.[1];
  if (header !== undefined && cLibrary.test(header)) {
    return new CompilerMissingError(`the C library's headers are not installed (${header})`);
  }
  if (header !== undefined && kernel.test(header)) {
    return new CompilerMissingError(`the kernel's headers are not installed (${header})`);
  }
  return new Error(`${what}\n${text}`);
}

/**
 * Translates TypeScript files to JavaScript and keeps the result in node_modules/.cache/typescript under
 * a digest of the content: tests run hundreds of processes, which load mostly the same files. Types are
 * not checked here.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const root = path.resolve(fileURLToPath(import.meta.url), '../../..');
const folder = path.join(root, 'node_modules', '.cache', 'typescript');
const { version } = require('typescript/package.json');

/** The JavaScript of a file with its source map, from the cache or newly translated. */
export function javaScriptOf(file) {
  const source = fs.readFileSync(file, 'utf8');
  const name = entryName(file, source);
  try {
    return fs.readFileSync(path.join(folder, name), 'utf8');
  } catch {
    const text = translate(file, source);
    keep(name, text);
    return text;
  }
}

/**
 * Translates all files that are not in the cache, so that not every process of a run loads the compiler.
 * Removes entries that no file of these folders has.
 */
export function fillCache(folders) {
  const present = new Set(fs.existsSync(folder) ? fs.readdirSync(folder) : []);
  const used = new Set();
  for (const file of folders.flatMap(typeScriptIn)) {
    const source = fs.readFileSync(file, 'utf8');
    const name = entryName(file, source);
    used.add(name);
    if (!present.has(name)) keep(name, translate(file, source));
  }
  for (const name of present) {
    // A process that still needs it translates the file again.
    if (!used.has(name)) fs.rmSync(path.join(folder, name), { force: true });
  }
}

function typeScriptIn(name) {
  const start = path.join(root, name);
  return fs
    .readdirSync(start, { recursive: true })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .map((file) => path.join(start, file));
}

/** The source map has the name of the file, so files with the same content need separate entries. */
export function entryName(file, source) {
  const hash = createHash('sha256').update(`${version}\0${path.basename(file)}\0`);
  return `${hash.update(source).digest('hex')}.js`;
}

export function translate(file, source, options = {}) {
  const { ModuleKind, ScriptTarget, transpileModule } = require('typescript');
  const { outputText } = transpileModule(source, {
    fileName: path.basename(file),
    compilerOptions: {
      module: ModuleKind.ESNext,
      target: ScriptTarget.ES2023,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
      inlineSources: true,
      ...options,
    },
  });
  return outputText;
}

/** Writes only complete files, because other processes read them. Without write access the cache stays empty. */
function keep(name, text) {
  const unfinished = path.join(folder, `${name}.${process.pid}`);
  try {
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(unfinished, text);
    fs.renameSync(unfinished, path.join(folder, name));
  } catch {
    fs.rmSync(unfinished, { force: true });
  }
}

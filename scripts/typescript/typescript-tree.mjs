/**
 * The sources, tests and scripts as JavaScript in build/typescript. Processes of a test run load these
 * files without a module hook: on Node 20, the thread of the hook takes more processor time than most
 * test files. `import.meta` and the source maps name the original files.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { entryName, translate } from './typescript-cache.mjs';

const root = path.resolve(fileURLToPath(import.meta.url), '../../..');
const tree = path.join(root, 'build', 'typescript');
const folders = ['src', 'packages/client/src', 'test', 'scripts'];
const listFile = path.join(tree, 'entries.json');

/** The JavaScript of a TypeScript file of these folders. */
export function compiledFile(file) {
  return path.join(tree, path.relative(root, file).replace(/\.ts$/, '.js'));
}

export function isInTree(file) {
  return folders.some((folder) => file.startsWith(path.join(root, folder, path.sep)));
}

/** Translates the files that have changed; of JavaScript, only the names of imported files. */
export function compileTree() {
  const maker = [root, digestOfThis()].join(' ');
  const before = readList(maker);
  const now = {};
  for (const file of folders.flatMap(modulesIn)) {
    const source = fs.readFileSync(file, 'utf8');
    const output = compiledFile(file);
    const entry = entryName(file, source);
    now[path.relative(tree, output)] = entry;
    if (before[path.relative(tree, output)] === entry && fs.existsSync(output)) continue;
    write(output, compile(file, source));
  }
  for (const name of Object.keys(before)) {
    if (now[name] === undefined) fs.rmSync(path.join(tree, name), { force: true });
  }
  write(listFile, JSON.stringify({ maker, entries: now }));
}

/** Empty if the tree was made for another folder, whose name its files contain, or by another compiler. */
function readList(maker) {
  try {
    const list = JSON.parse(fs.readFileSync(listFile, 'utf8'));
    return list.maker === maker ? list.entries : {};
  } catch {
    return {};
  }
}

function digestOfThis() {
  const hash = createHash('sha256');
  for (const name of ['typescript-tree.mjs', 'typescript-cache.mjs']) {
    hash.update(fs.readFileSync(path.join(root, 'scripts', 'typescript', name)));
  }
  return hash.digest('hex');
}

function compile(file, source) {
  const url = pathToFileURL(file).href;
  const text = translate(file, source, {
    allowJs: true,
    rewriteRelativeImportExtensions: true,
    sourceRoot: url.slice(0, url.lastIndexOf('/') + 1),
  });
  const names = { url, filename: file, dirname: path.dirname(file) };
  const start = `Object.assign(import.meta, ${JSON.stringify(names)});`;
  // In the first line, so that the source map holds, except for the columns of that line.
  return text.startsWith('#!') ? text.replace('\n', `\n${start}`) : start + text;
}

function modulesIn(folder) {
  return fs
    .readdirSync(path.join(root, folder), { recursive: true })
    .filter((name) => /\.(ts|mjs)$/.test(name) && !name.endsWith('.d.ts'))
    .map((name) => path.join(root, folder, name));
}

/** Writes only complete files, because processes of another test run may read them. */
function write(file, text) {
  const unfinished = `${file}.${process.pid}`;
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(unfinished, text);
  fs.renameSync(unfinished, file);
}

/**
 * Does what the pages tell a newcomer, in fresh folders: `node scripts/newcomer.mjs [PART…]`. A part is a
 * page, or `package` (the packed packages, installed elsewhere). Without a part it plays all of them.
 */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { notPlayed } from './newcomer/not-played.mjs';
import { installPackages, playPackage } from './newcomer/packages.mjs';
import { playPage } from './newcomer/play-page.mjs';
import { killAll } from './newcomer/processes.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const work = fs.mkdtempSync(path.join(tmpdir(), 'newcomer-'));
const say = (text) => process.stdout.write(`${text}\n`);

/** Where `npm start` runs: the fresh checkout once README.md has been played. */
let home = root;
let project;

/** Installs the packages when they are first needed. */
function installed() {
  project ??= installPackages(home, folderFor('packages')).then((folder) => {
    say('the packages: packed, and installed in an empty folder');
    return folder;
  });
  return project;
}

function folderFor(name) {
  return fs.mkdtempSync(path.join(work, `${name.replaceAll(/\W/g, '-')}-`));
}

/** Folders that are built or installed. */
const made = ['.git', 'build', 'coverage', 'dist', 'node_modules', 'results'];

/** The files of the repository, changed or not, and nothing that was built or installed. */
function freshCheckout() {
  const folder = folderFor('checkout');
  const filter = (file) =>
    !made.includes(path.relative(root, file).replace(/^packages\/[^/]+\//, ''));
  fs.cpSync(root, folder, { recursive: true, filter });
  return folder;
}

const page = (name, options = {}) => {
  const file = path.join(root, name);
  const modules = async () => path.join(await installed(), 'node_modules');
  return playPage({ file, name, home, work: folderFor(name), modules, say, ...options });
};

const parts = {
  // Its `npm ci` would remove the packages of this checkout.
  'README.md': () => {
    home = freshCheckout();
    return page('README.md', { installs: true });
  },
  package: async () => playPackage(await installed(), say),
};

function allPages() {
  const inDocs = fs.readdirSync(path.join(root, 'docs'), { recursive: true }).sort();
  const names = inDocs.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`);
  const gone = notPlayed.find((row) => row.page !== 'README.md' && !names.includes(row.page));
  if (gone !== undefined)
    throw new Error(`not-played.mjs names ${gone.page}, which does not exist`);
  return names;
}

/** Plays each part, also after a failure of another; returns the exit code. */
async function main(words) {
  const chosen = words.length > 0 ? words : ['README.md', ...allPages(), 'package'];
  const failed = [];
  for (const word of chosen) {
    const name = path.normalize(word);
    try {
      await (Object.hasOwn(parts, name) ? parts[name]() : page(name));
    } catch (error) {
      failed.push(name);
      say(`FAILED ${error.message}`);
    }
  }
  if (failed.length > 0) say(`failed: ${failed.join(', ')}`);
  return failed.length > 0 ? 1 : 0;
}

const removeWork = () => fs.rmSync(work, { recursive: true, force: true });
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    killAll();
    removeWork();
    process.exit(1);
  });
}
try {
  process.exitCode = await main(process.argv.slice(2));
} finally {
  killAll();
  removeWork();
}

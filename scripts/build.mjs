/**
 * Compiles each package into its dist if an input has changed: src as modules for those who import the
 * package and as the program in dist/program, and the client in packages/client.
 *
 * It runs before start and tests, so the common case must take only a few milliseconds: it compares a
 * digest of the inputs with the one in dist and does not load the compiler. Without sources (an installed
 * package, the final stage of an image) it uses dist as it is. An image is built without the client.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundleSwaggerUi, copySwaggerUi } from './build/swagger-ui.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const dist = path.join(root, 'dist');
const stampFile = path.join(dist, '.stamp');
/** The folders that have a tsconfig.json, with sources in src and output in dist. */
const packages = ['', 'packages/client'];

/** Whether each dist was built from the current src, openapi.yaml and settings of the toolchain. */
export function isFresh() {
  const inputs = findInputs();
  if (inputs.sources.length === 0) return fs.existsSync(path.join(dist, 'program', 'main.js'));
  return readStamp() === digest(inputs) && presentPackages().every(hasOutput);
}

const presentPackages = () =>
  packages.filter((folder) => fs.existsSync(path.join(root, folder, 'src')));

const hasOutput = (folder) => fs.existsSync(path.join(root, folder, 'dist'));

function findInputs() {
  const sources = presentPackages().flatMap((folder) =>
    walk(path.join(root, folder, 'src'), '.ts'),
  );
  const settings = ['openapi.yaml', 'package-lock.json', 'package.json'];
  const scripts = ['scripts/build.mjs', 'scripts/build/swagger-ui.mjs'];
  const projects = packages.map((folder) => path.join(folder, 'tsconfig.json'));
  return {
    sources,
    settings: [...settings, ...scripts, ...projects].map((name) => path.join(root, name)),
  };
}

function walk(folder, extension) {
  const entries = fs.readdirSync(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) return walk(file, extension);
    return entry.name.endsWith(extension) ? [file] : [];
  });
}

function digest({ sources, settings }) {
  const hash = createHash('sha256');
  for (const file of [...sources, ...settings]) {
    const bytes = fs.existsSync(file) ? fs.readFileSync(file) : '';
    hash.update(`${path.relative(root, file)}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}

function readStamp() {
  try {
    return fs.readFileSync(stampFile, 'utf8');
  } catch {
    return undefined;
  }
}

/** Builds unless fresh; throws with the compiler's messages if the sources do not compile. */
async function build({ force = false } = {}) {
  if (!force && isFresh()) return;
  const inputs = findInputs();
  // Compute the digest before compiling: a file saved during the build then leaves dist stale.
  const stamp = digest(inputs);
  // The first start takes several seconds longer by this.
  process.stderr.write('memcache-gateway: compiling the sources\n');
  fs.rmSync(stampFile, { force: true });
  for (const folder of presentPackages()) {
    compile(path.join(root, folder));
    removeOrphans(path.join(root, folder));
  }
  await bundleProgram();
  await copyDescription();
  copySwaggerUi(dist);
  fs.chmodSync(path.join(dist, 'program', 'main.js'), 0o755);
  fs.writeFileSync(stampFile, stamp);
}

function compile(folder) {
  const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  if (!fs.existsSync(compiler)) {
    throw new Error('dist is out of date and TypeScript is not installed; run npm ci first');
  }
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [compiler, '--project', path.join(folder, 'tsconfig.json'), '--pretty', 'false'],
    { cwd: root, encoding: 'utf8' },
  );
  if (status === 0) return;
  const name = path.join(path.relative(root, folder), 'src');
  throw new Error(`${name} does not compile\n${stdout}${stderr}`.trimEnd());
}

/** Removes the output of deleted sources; otherwise a stale import would still find it. */
function removeOrphans(folder) {
  const [sources, output] = ['src', 'dist'].map((name) => path.join(folder, name));
  const stems = new Set(
    walk(sources, '.ts').map((file) => path.relative(sources, file.slice(0, -3))),
  );
  for (const file of walk(output, '')) {
    const stem = path.relative(output, file).replace(/\.(d\.ts|js|js\.map|d\.ts\.map)$/, '');
    if (stem !== path.relative(output, file) && !stems.has(stem)) fs.rmSync(file);
  }
}

/**
 * The program in few files, since Node takes a third less processor time to load it from them. Packages
 * stay in node_modules, with their licences, except swagger-ui-express.
 */
async function bundleProgram() {
  const { build: bundle } = await import('esbuild');
  await bundle({
    entryPoints: [path.join(root, 'src', 'main.ts')],
    outdir: path.join(dist, 'program'),
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    plugins: [bundleSwaggerUi],
    tsconfigRaw: '{}',
    logLevel: 'warning',
  });
}

/** The served description in both forms, so that production needs no YAML parser. */
async function copyDescription() {
  const description = path.join(root, 'openapi.yaml');
  if (!fs.existsSync(description)) return;
  const { parse } = await import('yaml');
  const yaml = fs.readFileSync(description, 'utf8');
  fs.writeFileSync(path.join(dist, 'openapi.yaml'), yaml);
  fs.writeFileSync(path.join(dist, 'openapi.json'), `${JSON.stringify(parse(yaml))}\n`);
}

async function main(args) {
  const unknown = args.filter((arg) => arg !== '--force');
  if (unknown.length > 0) {
    process.stderr.write(`unknown option ${unknown.join(' ')}; known: --force\n`);
    return 2;
  }
  try {
    await build({ force: args.includes('--force') });
    return 0;
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(fs.realpathSync(process.argv[1])).href) {
  process.exitCode = await main(process.argv.slice(2));
}

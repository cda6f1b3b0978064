/**
 * Writes the generated files: types from openapi.yaml, and the pages of docs and the C header that repeat
 * a table of the source. With --check it writes nothing, and fails if a file is not up to date.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { clientTypes, problemSlugs } from './generate/client-api.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** Each file with the function that creates its text, mostly a function of a TypeScript module. */
const generated = [
  { file: 'src/generated/openapi.ts', text: openApiTypes },
  { file: 'packages/client/src/generated/api.ts', text: clientTypes },
  { file: 'packages/client/src/generated/problem-slugs.ts', text: problemSlugs },
  {
    file: 'docs/configuration.md',
    text: () => fromSource('src/config/help.ts', 'configurationPage'),
  },
  {
    file: 'docs/errors.md',
    text: () => fromSource('scripts/generate/errors-page.mjs', 'errorsPage'),
  },
  {
    file: 'docs/metrics.md',
    text: () => fromSource('scripts/generate/metrics-page.mjs', 'metricsPage'),
  },
  {
    file: 'embedded-engine/abi/mmc_codes.h',
    text: () => fromSource('scripts/generate/codes-header.mjs', 'codesHeader'),
  },
];

async function openApiTypes() {
  const description = path.join(root, 'openapi.yaml');
  if (!fs.existsSync(description)) return undefined;
  const { astToString, COMMENT_HEADER, default: toTypes } = await import('openapi-typescript');
  return COMMENT_HEADER + astToString(await toTypes(pathToFileURL(description)));
}

/** Calls a function of the sources through tsx, because plain Node cannot load them. */
function fromSource(module, name) {
  const url = new URL(`../${module}`, import.meta.url).href;
  const program = `const { ${name} } = await import(${JSON.stringify(url)}); process.stdout.write(await ${name}());`;
  return run(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program]);
}

function run(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

async function main(args) {
  const unknown = args.filter((arg) => arg !== '--check');
  if (unknown.length > 0) {
    process.stderr.write(`unknown option ${unknown.join(' ')}; known: --check\n`);
    return 2;
  }
  const check = args.includes('--check');
  const stale = [];
  for (const { file, text } of generated) {
    const target = path.join(root, file);
    const wanted = await text();
    const present = fs.existsSync(target) ? fs.readFileSync(target, 'utf8') : undefined;
    if (wanted === undefined || wanted === present) continue;
    stale.push(file);
    if (check) continue;
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.writeFileSync(target, wanted);
    process.stdout.write(`wrote ${file}\n`);
  }
  if (!check || stale.length === 0) return 0;
  process.stderr.write(`not up to date, run npm run generate: ${stale.join(', ')}\n`);
  return 1;
}

process.exitCode = await main(process.argv.slice(2));

/** Plays the examples of a page in their order, as a reader who copies them does. */
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { blocksOf, patternOf } from './blocks.mjs';
import { inert, playedOnce, reasonOf, staleRows } from './not-played.mjs';
import { run, startGateway, strictCurl } from './processes.mjs';

const shell = ['sh', '-eu'];
const interpreters = {
  sh: shell,
  bash: ['bash', '-eu'],
  console: shell,
  python: ['python3', '-'],
  js: [process.execPath, 'example.mjs'],
};

/**
 * Plays a page. `file` has its text, and `name` is how messages call it. `home` is the checkout in which
 * `npm start` runs, `work` an empty folder, `modules` a function that resolves with the `node_modules` of a
 * project with the packages. `say(line)` reports each block. With `installs`, `npm ci` runs; otherwise it is
 * left out, because `home` has its packages. Rejects with the line of the first example that fails.
 */
export async function playPage({ file, name, home, work, modules, say, installs = false }) {
  const blocks = blocksOf(fs.readFileSync(file, 'utf8'), name);
  const stale = staleRows(name, blocks);
  if (stale.length > 0) {
    throw new Error(`${name}: not-played.mjs names a block that it does not have: ${stale}`);
  }
  const folder = path.join(work, 'folder');
  fs.mkdirSync(folder);
  const page = { home, work, folder, modules, installs, gateway: undefined };
  try {
    for (const block of blocks) await playOrExplain(page, name, block, say);
  } finally {
    await page.gateway?.stop();
  }
}

async function playOrExplain(page, name, block, say) {
  if (inert.includes(block.language)) return;
  const where = `${name}:${block.line} ${block.language}`;
  const reason = reasonOf(name, block.code);
  if (reason !== undefined) return say(`${where}: not played, ${reason}`);
  if (interpreters[block.language] === undefined) {
    throw new Error(`${where}: no interpreter for this language, and it is not in not-played.mjs`);
  }
  const startMs = performance.now();
  try {
    await playBlock(page, block);
  } catch (error) {
    throw new Error(`${where}: ${error.message}`, { cause: error });
  }
  say(`${where}: ok, ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
}

async function playBlock(page, block) {
  const script = block.language === 'console' ? await startGateways(page, block.code) : block.code;
  if (script.trim() === '') return;
  const code = await withAddresses(page, script);
  if (block.language === 'js') await addModules(page, code);
  // Without an output on the page, an error response would go unnoticed.
  const env = { ...process.env, ...(block.expected === undefined ? strictCurl(page.work) : {}) };
  const printed = await run(interpreters[block.language], { input: code, cwd: page.folder, env });
  if (block.expected === undefined || patternOf(block.expected).test(printed.trimEnd())) return;
  throw new Error(`it prints\n${printed.trimEnd()}\ninstead of\n${block.expected.trimEnd()}`);
}

/** Starts the gateway that a `console` block starts; returns the lines after it, for another terminal. */
async function startGateways(page, code) {
  let rest = '';
  for (const text of code.replaceAll('\\\n', '').split('\n')) {
    const line = page.installs ? text : text.replace(playedOnce, '');
    if (/\bnpm start\b/.test(line)) {
      await page.gateway?.stop();
      page.gateway = undefined;
      page.gateway = await startOnAnyPort(page, line);
    } else rest += `${line}\n`;
  }
  return rest;
}

function startOnAnyPort({ home, folder }, line) {
  const command = inFolder(folder, line).replaceAll(':8080', ':0');
  const env = command.includes('--listen') ? {} : { GATEWAY_PORT: '0' };
  return startGateway(command, { cwd: home, env: { ...env, npm_config_prefer_offline: 'true' } });
}

const inFolder = (folder, text) => text.replaceAll('/run/gateway.sock', `${folder}/gateway.sock`);

/** A page that starts no gateway itself gets one as README.md starts it. */
async function withAddresses(page, code) {
  if (!code.includes('127.0.0.1:8080')) return inFolder(page.folder, code);
  page.gateway ??= await startOnAnyPort(page, 'npm start');
  return inFolder(page.folder, code).replaceAll('127.0.0.1:8080', `127.0.0.1:${page.gateway.port}`);
}

async function addModules({ folder, modules }, code) {
  fs.writeFileSync(path.join(folder, 'example.mjs'), code);
  const link = path.join(folder, 'node_modules');
  if (!fs.existsSync(link)) fs.symlinkSync(await modules(), link);
}

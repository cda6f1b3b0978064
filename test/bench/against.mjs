// npm run bench -- --against COMMIT: measures the working tree and another commit in turn.
import { fileURLToPath } from 'node:url';
import { buildCommit } from './commit-tree.mjs';
import { rows } from './comparison-rows.mjs';
import { drive, generator } from './load.mjs';
import { put } from './measure.mjs';
import { slowEngine, startGatewayOf } from './processes.mjs';
import { compareRates, MIN_PAIRS } from './statistics.mjs';

const tree = fileURLToPath(new URL('../..', import.meta.url));
const WARM_UP_SECONDS = 1;

/** Builds the commit, measures and prints the rows; resolves with the exit code. */
export async function compareWith({ against, names, pairs, seconds }) {
  process.stdout.write(`building ${against} beside the working tree\n`);
  const { hash, folder } = buildCommit(against);
  process.stdout.write(
    `Node ${process.version}, ${generator}, ratios of the tree to ${hash.slice(0, 12)}, ${pairs} × ${seconds} s each\n`,
  );
  if (pairs < MIN_PAIRS) {
    process.stdout.write(`fewer than ${MIN_PAIRS} pairs give no interval and no verdict\n`);
  }
  let isMissed = false;
  for (const name of names) {
    const row = rows[name];
    const { treeRates, commitRates } = await measure(row, folder, pairs, seconds);
    const result = compareRates(treeRates, commitRates, row.least);
    isMissed ||= result.passed === false;
    process.stdout.write(`${lineOf(row, result)}\n`);
  }
  return isMissed ? 1 : 0;
}

/** Measures the rates of both, pair by pair. */
async function measure(row, folder, pairs, seconds) {
  const treeRates = [];
  const commitRates = [];
  for (let pair = 0; pair < pairs; pair++) {
    // Alternate the order: the second measurement always has the warmer machine.
    const order = pair % 2 === 0 ? [tree, folder] : [folder, tree];
    const rates = await measurePair(row, order, seconds);
    treeRates.push(rates.get(tree));
    commitRates.push(rates.get(folder));
  }
  return { treeRates, commitRates };
}

/**
 * Measures the rate of each root, one after another. Each pair has its own processes: two processes
 * of the same program may differ by 5 % for as long as they run.
 */
async function measurePair(row, roots, seconds) {
  const gateways = new Map();
  const rates = new Map();
  try {
    for (const root of roots) {
      const gateway = await start(row, root);
      gateways.set(root, gateway);
      for (const path of row.stored) await store(gateway.port, path, row.storedBytes);
    }
    const load = (root, length) =>
      drive({ ...row.load, port: gateways.get(root).port, seconds: length });
    for (const root of roots) await load(root, WARM_UP_SECONDS);
    for (const root of roots) rates.set(root, await load(root, seconds));
  } finally {
    for (const gateway of gateways.values()) await gateway.stop();
  }
  return rates;
}

function start({ flags = [], slow = false }, root) {
  const engine = slow ? slowEngine(root) : { flags: [], env: {} };
  return startGatewayOf(root, ...engine.flags, ...flags, engine.env);
}

async function store(port, path, bytes) {
  const status = await put(port, path, bytes);
  if (status >= 300) throw new Error(`PUT ${path} failed with status ${status}`);
}

export function lineOf({ title, least, show }, { ratio, interval, passed, tree, commit }) {
  const range =
    interval === undefined
      ? 'no interval'
      : `${interval.low.toFixed(3)} to ${interval.high.toFixed(3)}`;
  const verdict = passed === undefined ? 'no verdict' : passed ? 'ok' : 'MISSED';
  const figures = `${ratio.toFixed(3)} (${range})`.padEnd(26);
  const medians = `${show(tree)} to ${show(commit)}`.padEnd(40);
  return `${title.padEnd(42)} ${figures} ${medians} >= ${least.toFixed(2)}  ${verdict}`;
}

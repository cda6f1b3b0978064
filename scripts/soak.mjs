/**
 * Mixed load over TLS with tokens, while workers are killed and tokens and certificates are rotated. Looks for
 * a wrong byte, an unexpected status, and memory, descriptors, shared memory and blocks that are not given back.
 *
 *   npm run soak -- [--seconds 1800] [--callers 8] [flags of the gateway]
 *
 * `npm run soak:short` takes 40 s. Prints its figures. Exits with 1 after any fault, and with 2 for an invalid
 * number.
 */
import https from 'node:https';
import process from 'node:process';
import { setTimeout as elapse } from 'node:timers/promises';
import { childrenOf, poolOf, startGateway } from '../test/helpers/process/gateway.ts';
import { until } from '../test/helpers/process/until.ts';
import { createFigures, requestMs, runCaller } from './soak/soak-load.mjs';
import { growth, resourcesAtRest, sharedFiles } from './soak/soak-resources.mjs';
import { createSecrets } from './soak/soak-secrets.mjs';

const EXPECTED = new Set([200, 201, 204, 404, 409, 503]);
const WORKERS = 2;
const WARM_UP_MS = 5000;
/** A token is in use from the rotation after the one that made it, at least as long as a reload takes. */
const PERIOD_SECONDS = { least: 3, most: 20 };
const EVENTS = 12;

const own = { seconds: 1800, callers: 8 };
const flags = [];
const words = process.argv.slice(2);
for (let word = words.shift(); word !== undefined; word = words.shift()) {
  const [, name, attached] = /^--(\w+)(?:=(.*))?$/.exec(word) ?? [];
  if (name === undefined || !Object.hasOwn(own, name)) {
    flags.push(word);
    continue;
  }
  const text = attached ?? words.shift() ?? '';
  if (!/^[1-9]\d{0,6}$/.test(text)) {
    process.stderr.write(`soak: --${name}: "${text}" is no whole number from 1 to 9999999\n`);
    process.exit(2);
  }
  own[name] = Number(text);
}

const say = (text) => process.stdout.write(`${text}\n`);
const secrets = createSecrets();
process.once('exit', () => secrets.remove());
const gateway = await startGateway({
  args: [
    ...['--listen', 'tls:127.0.0.1:0', '--listen', 'admin:127.0.0.1:0', ...secrets.flags],
    ...['--devices', '0,1', '--ready-when', 'all', '--log-level', 'error', ...flags],
  ],
  env: { GATEWAY_POOL_BYTES: '128MiB', GATEWAY_ARENA_BYTES: '64MiB' },
});
const [admin] = gateway.ready.adminAddresses;
const pool = poolOf(gateway.workerPid());
const figures = createFigures();
const { faults } = figures;
const statuses = new Map();

/** Requests on kept connections, each with the token that is in use now. */
function createSender() {
  const agent = new https.Agent({ keepAlive: true, ca: secrets.ca, servername: 'localhost' });
  const send = (method, path, body, headers, credentials = secrets.credentials()) =>
    new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(requestMs);
      const request = https.request({
        ...{ host: '127.0.0.1', port: gateway.port, agent, method, path, signal },
        headers: { ...headers, ...credentials },
      });
      request.on('error', (error) => reject(signal.aborted ? signal.reason : error));
      request.on('response', async (response) => {
        try {
          const chunks = [];
          for await (const chunk of response) chunks.push(chunk);
          const status = response.statusCode;
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          resolve({ status, bytes: Buffer.concat(chunks) });
        } catch (error) {
          reject(error);
        }
      });
      request.end(body);
    });
  return { send, close: () => agent.destroy() };
}

/** Runs the callers for as long as `work` does. */
async function underLoad(work) {
  const stopping = new AbortController();
  const { send, close } = createSender();
  const names = Array.from({ length: own.callers }, (_, index) => `${loads}-${index}`);
  loads += 1;
  const callers = names.map((name) => runCaller(name, send, stopping.signal, figures));
  await work();
  stopping.abort();
  await Promise.all(callers);
  close();
}
let loads = 0;

const counts = { kills: 0, tokens: 0, certificates: 0 };
const events = [
  () => {
    const workers = childrenOf(gateway.pid);
    // With one worker left, the callers would have none.
    if (workers.length < WORKERS) return;
    process.kill(workers[Math.floor(Math.random() * workers.length)], 'SIGKILL');
    counts.kills += 1;
  },
  () => {
    secrets.rotateToken();
    counts.tokens += 1;
  },
  () => {
    secrets.rotateCertificate();
    counts.certificates += 1;
  },
];

async function disturb() {
  const { least, most } = PERIOD_SECONDS;
  const periodMs = 1000 * Math.min(most, Math.max(least, own.seconds / EVENTS));
  const endMs = performance.now() + own.seconds * 1000;
  for (let turn = 0; performance.now() < endMs; turn += 1) {
    await elapse(Math.min(periodMs, Math.max(1, endMs - performance.now())));
    events[turn % events.length]();
    if (turn % 10 === 9) say(`${Math.round((endMs - performance.now()) / 1000)} s left`);
  }
}

/** The gateway has the newest secrets, and no older ones. */
async function checkSecrets() {
  const { send, close } = createSender();
  const status = (credentials) =>
    send('GET', '/v1/info/none', undefined, {}, credentials).then((response) => response.status);
  const what = 'the gateway uses the newest certificate, and refuses the former token';
  await until(
    async () => (await secrets.isServed(gateway.port)) && (await status(secrets.revoked())) === 401,
    { what },
  ).catch((error) => faults.push(error.message));
  const now = await status(secrets.credentials());
  if (now !== 404) faults.push(`the token in use gets ${now}`);
  close();
}

await underLoad(() => elapse(WARM_UP_MS));
const before = await resourcesAtRest(gateway, admin, WORKERS);
await underLoad(disturb);
const served = new Map(statuses);
if (counts.tokens > 0 && counts.certificates > 0) await checkSecrets();
const after = await resourcesAtRest(gateway, admin, WORKERS);
faults.push(...growth(before, after));
for (const status of served.keys()) {
  if (!EXPECTED.has(status)) faults.push(`${served.get(status)} responses with status ${status}`);
}
const { code } = await gateway.stop();
if (code !== 0) faults.push(`the stop ended with ${code} instead of 0`);
const leaked = sharedFiles(pool);
if (leaked.length > 0) faults.push(`left in /dev/shm: ${leaked.join(', ')}`);

const { requests, checkedBytes, cutOff } = figures;
say(`disturbances       ${JSON.stringify(counts)} in ${own.seconds} s`);
say(`requests           ${requests}, of which ${cutOff} cut off`);
say(`statuses           ${JSON.stringify(Object.fromEntries(served))}`);
say(`bytes checked      ${(checkedBytes / 2 ** 20).toFixed(1)} MiB`);
for (const name of Object.keys(before))
  say(`${name.padEnd(21)} ${before[name]} before, ${after[name]} after`);
say(`breaches           ${faults.length === 0 ? 'none' : faults.length}`);
for (const fault of faults.slice(0, 20)) say(`  - ${fault}`);
process.exit(faults.length === 0 ? 0 : 1);

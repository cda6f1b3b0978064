/**
 * Runs the steps of the Dockerfile by hand, for machines without a container engine: the same
 * commands on the same files in an empty directory, then what the final stage holds, started as an
 * unprivileged user. Keep the two files alike. Takes half a minute on two cores; needs the package registry.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'dockerfile-steps-'));
const build = path.join(work, 'build');
const final = path.join(work, 'final');
const port = '18080';

const say = (text) => process.stdout.write(`${text}\n`);

function copy(from, to, names) {
  for (const name of names) {
    fs.cpSync(path.join(from, name), path.join(to, name), { recursive: true });
  }
}

function run(command) {
  say(`RUN ${command}`);
  execFileSync('sh', ['-c', command], { cwd: build, stdio: ['ignore', 'ignore', 'inherit'] });
}

function buildStage() {
  fs.mkdirSync(build, { recursive: true });
  copy(root, build, ['package.json', 'package-lock.json', '.npmrc']);
  run('npm ci --ignore-scripts');
  copy(root, build, ['tsconfig.json', 'openapi.yaml', 'scripts', 'src']);
  run('npm run build:engine && npm run build && npm prune --omit=dev --ignore-scripts');
}

function finalStage() {
  fs.mkdirSync(final);
  copy(build, final, ['package.json', 'node_modules', 'dist', 'build/native']);
  fs.rmSync(build, { recursive: true });
  fs.chmodSync(work, 0o755);
}

/** As `USER node`, where we may change users; no variable of the host but PATH comes in. */
function options(environment) {
  const image = { NODE_ENV: 'production', GATEWAY_HOST: '0.0.0.0', GATEWAY_PORT: port };
  const user = process.getuid() === 0 ? { uid: 1000, gid: 1000 } : {};
  return { cwd: final, env: { PATH: process.env.PATH, ...image, ...environment }, ...user };
}

function refusesWithoutConsent() {
  const { status, stderr } = spawnSync(process.execPath, ['dist/main.js'], {
    ...options({}),
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.equal(status, 2, `expected a refusal to listen without GATEWAY_INSECURE: ${stderr}`);
  say(`refuses: ${stderr.trim().split('\n').at(-1)}`);
}

function isHealthy() {
  const text = fs.readFileSync(path.join(root, 'Dockerfile'), 'utf8');
  const [, command] = /HEALTHCHECK [^[]*(\[.*\])$/m.exec(text);
  const [, ...args] = JSON.parse(command);
  return spawnSync(process.execPath, args, options({})).status === 0;
}

async function serves() {
  assert.equal(isHealthy(), false, 'healthy before it was started');
  const small = {
    GATEWAY_INSECURE: '1',
    GATEWAY_POOL_BYTES: '64MiB',
    GATEWAY_ARENA_BYTES: '64MiB',
  };
  const gateway = spawn(process.execPath, ['dist/main.js'], {
    ...options({ ...small, GATEWAY_MAX_OBJECT_BYTES: '16MiB' }),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const exited = once(gateway, 'exit');
  try {
    const end = Date.now() + 30_000;
    while (!isHealthy()) assert.ok(Date.now() < end, 'not healthy within 30 s');
    const url = `http://127.0.0.1:${port}`;
    const body = 'bytes';
    assert.equal((await fetch(`${url}/v1/objects/k`, { method: 'PUT', body })).status, 201);
    assert.equal(await (await fetch(`${url}/v1/objects/k`)).text(), body);
    for (const name of ['docs', 'docs/swagger-ui-bundle.js', 'openapi.json', 'metrics']) {
      assert.equal((await fetch(`${url}/${name}`)).status, 200, name);
    }
  } finally {
    gateway.kill('SIGTERM');
  }
  assert.deepEqual(await exited, [0, null]);
  say('serves, and stops with exit code 0');
}

try {
  buildStage();
  finalStage();
  refusesWithoutConsent();
  await serves();
  const holds = execFileSync('du', ['-sh', final], { encoding: 'utf8' }).split('\t')[0];
  say(`the final stage adds ${holds}`);
} finally {
  fs.rmSync(work, { recursive: true, force: true });
}

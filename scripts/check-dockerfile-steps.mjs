/**
 * Runs the steps of the Dockerfile without a container engine: its COPY and RUN in order, each stage in an
 * empty directory. Then it starts the final stage as an unprivileged user, with its ENV and ENTRYPOINT.
 * Takes half a minute on two cores; needs the package registry.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { readContext, readDockerfile } from './build/dockerfile.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'dockerfile-steps-'));
const read = (name) => fs.readFileSync(path.join(root, name), 'utf8');
const stages = readDockerfile(read('Dockerfile'));
const context = readContext(read('.dockerignore'));
const image = stages.at(-1);
const port = '18080';

const say = (text) => process.stdout.write(`${text}\n`);

/** The directory of the file system of a stage. */
const placeOf = (stage) => path.join(work, String(stages.indexOf(stage)));
const workdirOf = (stage) => path.join(placeOf(stage), stage.workdir);

function buildStage(stage) {
  fs.mkdirSync(workdirOf(stage), { recursive: true });
  for (const step of stage.steps) {
    if ('run' in step) run(stage, step.run);
    else copy(stage, step);
  }
}

function run(stage, command) {
  say(`RUN ${command}`);
  const env = { ...process.env, ...stage.env };
  const stdio = ['ignore', 'ignore', 'inherit'];
  execFileSync('sh', ['-c', command], { cwd: workdirOf(stage), env, stdio });
}

/** Like Docker: copies the contents of a folder; copies into a folder if the target ends with a slash. */
function copy(stage, { copy: names, to, from }) {
  say(`COPY ${names.join(' ')} ${to}`);
  for (const name of names) {
    const source = sourceOf(name, from);
    const target = path.join(workdirOf(stage), to);
    const into = fs.statSync(source).isDirectory() || !to.endsWith('/');
    const place = into ? target : path.join(target, path.basename(name));
    fs.cpSync(source, place, { recursive: true });
  }
}

function sourceOf(name, from) {
  if (from !== undefined) return path.join(placeOf(stages.find((s) => s.name === from)), name);
  const [first] = path.normalize(name).split('/');
  assert.ok(context.includes(first), `.dockerignore keeps ${name} out of the context`);
  return path.join(root, name);
}

/** Runs as the image's user if changing users is permitted; inherits only PATH from the host. */
function options(environment) {
  const env = { PATH: process.env.PATH, ...image.env, GATEWAY_PORT: port, ...environment };
  const user = process.getuid() === 0 ? { uid: 1000, gid: 1000 } : {};
  return { cwd: workdirOf(image), env, ...user };
}

function refusesWithoutConsent() {
  const [command, ...args] = image.entrypoint;
  const { status, stderr } = spawnSync(command, args, {
    ...options({}),
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.equal(status, 2, `expected a refusal to listen without GATEWAY_INSECURE: ${stderr}`);
  say(`refuses: ${stderr.trim().split('\n').at(-1)}`);
}

function isHealthy() {
  const [command, ...args] = image.healthcheck;
  return spawnSync(command, args, options({})).status === 0;
}

async function serves() {
  assert.equal(isHealthy(), false, 'healthy before it was started');
  const small = {
    GATEWAY_INSECURE: '1',
    GATEWAY_POOL_BYTES: '64MiB',
    GATEWAY_ARENA_BYTES: '64MiB',
  };
  const [command, ...args] = image.entrypoint;
  const gateway = spawn(command, args, {
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
  fs.chmodSync(work, 0o755);
  for (const stage of stages) buildStage(stage);
  // Files that were not copied are not in the image.
  for (const stage of stages.slice(0, -1)) fs.rmSync(placeOf(stage), { recursive: true });
  assert.notEqual(image.user ?? 'root', 'root', 'the image runs as root');
  refusesWithoutConsent();
  await serves();
  const holds = execFileSync('du', ['-sh', placeOf(image)], { encoding: 'utf8' }).split('\t')[0];
  say(`the final stage adds ${holds}`);
} finally {
  fs.rmSync(work, { recursive: true, force: true });
}

/**
 * Runs the steps of the Dockerfile without a container engine: its COPY and RUN in order, each stage in an
 * empty directory. Then it starts the final stage as an unprivileged user, with its ENV and ENTRYPOINT, on
 * another port, with TLS and on a Unix socket. Its HEALTHCHECK must find each of them.
 * Takes a minute on two cores; needs the package registry and openssl.
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
    const target = path.join(to.startsWith('/') ? placeOf(stage) : workdirOf(stage), to);
    const into = fs.statSync(source).isDirectory() || !to.endsWith('/');
    const place = into ? target : path.join(target, path.basename(name));
    fs.mkdirSync(path.dirname(place), { recursive: true });
    fs.cpSync(source, place, { recursive: true });
  }
}

function sourceOf(name, from) {
  if (from !== undefined) return path.join(placeOf(stages.find((s) => s.name === from)), name);
  const [first] = path.normalize(name).split('/');
  assert.ok(context.includes(first), `.dockerignore keeps ${name} out of the context`);
  return path.join(root, name);
}

/** Runs as the image's user if changing users is permitted, with the Node of the image. */
function options(environment) {
  // --listen excludes the short form for one address.
  const place = 'GATEWAY_LISTEN' in environment ? '' : port;
  const short = { GATEWAY_HOST: place && image.env.GATEWAY_HOST, GATEWAY_PORT: place };
  const bin = path.join(placeOf(image), 'usr/local/bin');
  const env = { PATH: `${bin}:${process.env.PATH}`, ...image.env, ...short, ...environment };
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

/** The health check has the variables of the container, and no flags. */
function isHealthy(environment) {
  const [command, ...args] = image.healthcheck;
  return spawnSync(command, args, options(environment)).status === 0;
}

/** Starts the image, waits until it is healthy, runs `use`, and stops it. */
async function withGateway(name, environment, use) {
  const small = { GATEWAY_POOL_BYTES: '64MiB', GATEWAY_ARENA_BYTES: '64MiB' };
  const settings = { ...small, GATEWAY_MAX_OBJECT_BYTES: '16MiB', ...environment };
  assert.equal(isHealthy(settings), false, `${name}: healthy before it was started`);
  const [command, ...args] = image.entrypoint;
  const gateway = spawn(command, args, {
    ...options(settings),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const exited = once(gateway, 'exit');
  try {
    const end = Date.now() + 30_000;
    while (!isHealthy(settings)) assert.ok(Date.now() < end, `${name}: not healthy within 30 s`);
    await use();
  } finally {
    gateway.kill('SIGTERM');
  }
  assert.deepEqual(await exited, [0, null]);
  say(`${name}: becomes healthy, and stops with exit code 0`);
}

async function serves() {
  const url = `http://127.0.0.1:${port}`;
  const body = 'bytes';
  assert.equal((await fetch(`${url}/v1/objects/k`, { method: 'PUT', body })).status, 201);
  assert.equal(await (await fetch(`${url}/v1/objects/k`)).text(), body);
  for (const name of ['docs', 'docs/swagger-ui-bundle.js', 'openapi.json', 'metrics']) {
    assert.equal((await fetch(`${url}/${name}`)).status, 200, name);
  }
}

/** The sum of the files of the final stage and of debian:bookworm-slim (75 MB) is at most 250 MB. */
function isSmall() {
  const words = ['-s', '--block-size=1000000', '--apparent-size', placeOf(image)];
  const holds = Number(execFileSync('du', words, { encoding: 'utf8' }).split('\t')[0]);
  say(`the final stage adds ${holds} MB`);
  assert.ok(holds <= 175, 'the image is larger than 250 MB');
}

/** A certificate that is its own authority, and a directory for sockets, owned by the user of the image. */
function makeFiles() {
  const folder = path.join(work, 'files');
  fs.mkdirSync(folder);
  const [cert, key] = ['tls.crt', 'tls.key'].map((name) => path.join(folder, name));
  const subject = ['-subj', '/CN=gateway.example', '-days', '2', '-nodes'];
  const algorithm = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  execFileSync(
    'openssl',
    ['req', '-x509', ...algorithm, ...subject, '-keyout', key, '-out', cert],
    { stdio: 'pipe' },
  );
  if (process.getuid() === 0)
    for (const each of [folder, cert, key]) fs.chownSync(each, 1000, 1000);
  return { cert, key, socket: path.join(folder, 'gateway.sock') };
}

async function isHealthyEverywhere() {
  const { cert, key, socket } = makeFiles();
  const nothing = async () => {};
  await withGateway('another port', { GATEWAY_INSECURE: '1' }, serves);
  const tls = { GATEWAY_TLS_CERT: cert, GATEWAY_TLS_KEY: key };
  // Clients need a certificate; the health check has none.
  const mutual = { GATEWAY_TLS_CLIENT_CA: cert, GATEWAY_TLS_CLIENT_SCOPES: 'CN=*=read' };
  await withGateway(
    'TLS alone',
    { ...tls, ...mutual, GATEWAY_LISTEN: `tls:0.0.0.0:${port}` },
    nothing,
  );
  await withGateway('a socket file', { GATEWAY_LISTEN: `unix:${socket}` }, nothing);
}

try {
  fs.chmodSync(work, 0o755);
  for (const stage of stages) buildStage(stage);
  // Files that were not copied are not in the image.
  for (const stage of stages.slice(0, -1)) fs.rmSync(placeOf(stage), { recursive: true });
  assert.notEqual(image.user ?? 'root', 'root', 'the image runs as root');
  refusesWithoutConsent();
  await isHealthyEverywhere();
  isSmall();
} finally {
  fs.rmSync(work, { recursive: true, force: true });
}

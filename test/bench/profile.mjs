// npm run bench:profile [-- NAME...]: the processor time that a worker spends on one request, divided into
// parts, beside a bare node:http server that does the minimum for the same response.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as elapse } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { drive } from './load.mjs';
import { keys, put } from './measure.mjs';
import { startBare, startProgram } from './processes.mjs';
import { fixedParts, sharesOf } from './profile-parts.mjs';

const SECONDS = 4;
const preload = pathToFileURL(fileURLToPath(new URL('profiled.mjs', import.meta.url)));
/** One module for each file of src, so that the profile names folders. */
const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const paths = keys(64, 'small');

const loads = {
  'get-1k': { bare: ['constant', 1024], load: { paths, connections: 32 } },
  'put-1k': {
    bare: ['sink'],
    load: { method: 'PUT', fresh: '/v1/objects/fresh', bytes: 1024, connections: 32 },
  },
  'new-connections': {
    bare: ['constant', 1024],
    load: { paths, connections: 32, headers: { Connection: 'close' } },
  },
};

/** Profiles one server under a load: µs for one request, by part. */
async function profile(start, load) {
  const folder = mkdtempSync(join(tmpdir(), 'memcache-gateway-profile-'));
  const file = join(folder, 'profile');
  const environment = { PROFILE_FILE: file, NODE_OPTIONS: `--import ${preload}` };
  const { server, pid } = await start(environment);
  try {
    await drive({ ...load, port: server.port, seconds: 3 });
    process.kill(pid(), 'SIGUSR2');
    await untilExists(`${file}.started`);
    const next = load.fresh === undefined ? load : { ...load, fresh: `${load.fresh}-again` };
    const rate = await drive({ ...next, port: server.port, seconds: SECONDS });
    process.kill(pid(), 'SIGUSR2');
    await untilExists(file);
    const { cpuUs, profile } = JSON.parse(readFileSync(file, 'utf8'));
    const us = cpuUs / (rate * SECONDS);
    return {
      us,
      parts: new Map([...sharesOf(profile)].map(([part, share]) => [part, share * us])),
    };
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

async function untilExists(file) {
  while (!existsSync(file)) await elapse(20);
}

const gateway = async (environment) => {
  const server = await startProgram(program, environment);
  for (const path of paths) await put(server.port, path, 1024);
  return { server, pid: server.worker };
};

const bareOf = (given) => async (environment) => {
  const server = await startBare(...given, environment);
  return { server, pid: () => server.pid };
};

const row = (name, ...cells) =>
  name.padEnd(30) + cells.map((cell) => String(cell).padStart(10)).join('');
const figure = (us = 0) => us.toFixed(1);

async function report(name) {
  const { bare, load } = loads[name];
  const reference = await profile(bareOf(bare), load);
  const ours = await profile(gateway, load);
  const named = new Set([...fixedParts, ...reference.parts.keys(), ...ours.parts.keys()]);
  const lines = [row(`${name}: us for a request`, 'bare', 'gateway')];
  for (const part of named) {
    lines.push(row(`  ${part}`, figure(reference.parts.get(part)), figure(ours.parts.get(part))));
  }
  lines.push(row('  all', figure(reference.us), figure(ours.us)));
  const bound = reference.us / ours.us;
  lines.push(row('  ratio', '', bound.toFixed(2)));
  process.stdout.write(`${lines.join('\n')}\n`);
}

const names = process.argv.slice(2);
const unknown = names.filter((name) => !Object.hasOwn(loads, name));
if (unknown.length > 0) {
  const known = Object.keys(loads).join(', ');
  process.stderr.write(
    `bench:profile: no load is named ${unknown.join(', ')}; there are ${known}\n`,
  );
  process.exitCode = 2;
} else {
  for (const name of names.length > 0 ? names : Object.keys(loads)) await report(name);
}

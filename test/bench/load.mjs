// Drives load with wrk, or with autocannon where wrk is not installed.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const generator = spawnSync('wrk', ['--version']).error === undefined ? 'wrk' : 'autocannon';

/**
 * Sends requests for `seconds` over `connections`, each going round the paths in turn.
 * Resolves with requests per second; rejects when any answer was not `2xx`.
 */
export async function drive({ port, method = 'GET', paths, bytes = 0, connections, seconds }) {
  const run = generator === 'wrk' ? driveWrk : driveAutocannon;
  return run({ port, method, paths, bytes, connections, seconds });
}

async function driveWrk({ port, method, paths, bytes, connections, seconds }) {
  const folder = mkdtempSync(join(tmpdir(), 'memcache-gateway-bench-'));
  try {
    const script = join(folder, 'load.lua');
    writeFileSync(script, luaScript(method, paths, bytes));
    const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s', '-s', script];
    const text = await output('wrk', [...args, `http://127.0.0.1:${port}/`]);
    const failed = /Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)/.exec(text);
    if (failed !== null) throw new Error(`wrk: ${failed[0]}`);
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(text)[1]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Requests are made once, so that the generator does not spend its core on making them. */
const luaScript = (method, paths, bytes) => `
local paths = { ${paths.map((path) => `"${path}"`).join(', ')} }
local requests = {}
local at = 0
function init(args)
  local body = ${bytes > 0 ? `string.rep("x", ${bytes})` : 'nil'}
  for i, path in ipairs(paths) do requests[i] = wrk.format("${method}", path, nil, body) end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
`;

async function output(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  return text;
}

async function driveAutocannon({ port, method, paths, bytes, connections, seconds }) {
  const { default: autocannon } = await import('autocannon');
  const body = bytes > 0 ? Buffer.alloc(bytes, 'x') : undefined;
  const result = await autocannon({
    url: `http://127.0.0.1:${port}`,
    connections,
    duration: seconds,
    requests: paths.map((path) => ({ method, path, body })),
  });
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(`autocannon: ${result.non2xx} answers not 2xx, ${result.errors} errors`);
  }
  return result.requests.total / result.duration;
}

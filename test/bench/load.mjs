// Drives load with wrk, or with autocannon where wrk is not installed.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const generator = spawnSync('wrk', ['--version']).error === undefined ? 'wrk' : 'autocannon';

let runs = 0;

/**
 * Sends requests for `seconds` over `connections` to the `paths` in turn; or, with `fresh`, each to a
 * new path with that prefix. A body is `bytes` arbitrary bytes, or the text `body` with its `headers`.
 * Resolves with requests per second; rejects when a response is not `2xx`.
 */
export async function drive({ method = 'GET', paths = [], bytes = 0, ...load }) {
  const run = generator === 'wrk' ? driveWrk : driveAutocannon;
  runs += 1;
  const fresh = load.fresh === undefined ? undefined : `${load.fresh}-${runs}-`;
  return run({ ...load, method, paths, bytes, fresh });
}

async function driveWrk({
  port,
  method,
  paths,
  bytes,
  body,
  headers,
  connections,
  seconds,
  fresh,
}) {
  const folder = mkdtempSync(join(tmpdir(), 'memcache-gateway-bench-'));
  try {
    const script = join(folder, 'load.lua');
    const file = join(folder, 'body');
    if (body !== undefined) writeFileSync(file, body);
    const text = body !== undefined ? luaFile(file) : bytes > 0 ? luaBytes(bytes) : 'nil';
    writeFileSync(
      script,
      fresh === undefined ? luaRound(method, paths, text, headers) : luaFresh(method, fresh, bytes),
    );
    const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s', '-s', script];
    const report = await output('wrk', [...args, `http://127.0.0.1:${port}/`]);
    const failed = /Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)/.exec(report);
    if (failed !== null) throw new Error(`wrk: ${failed[0]}`);
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(report)[1]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Builds each request once, so that the generator does not spend its core on that. */
const luaRound = (method, paths, body, headers = {}) => `
local headers = { ${Object.entries(headers)
  .map(([name, value]) => `["${name}"] = "${value}"`)
  .join(', ')} }
local paths = { ${paths.map((path) => `"${path}"`).join(', ')} }
local requests = {}
local at = 0
function init(args)
  local body = ${body}
  for i, path in ipairs(paths) do requests[i] = wrk.format("${method}", path, headers, body) end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
`;

const luaBytes = (bytes) => `string.rep("x", ${bytes})`;
const luaFile = (file) => `io.open("${file}", "rb"):read("*a")`;

const luaFresh = (method, prefix, bytes) => `
local count = 0
local rest = " HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nContent-Length: ${bytes}\\r\\n\\r\\n" .. string.rep("x", ${bytes})
function request()
  count = count + 1
  return "${method} ${prefix}" .. count .. rest
end
`;

async function output(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  return text;
}

async function driveAutocannon({
  port,
  method,
  paths,
  bytes,
  headers,
  connections,
  seconds,
  ...load
}) {
  const { default: autocannon } = await import('autocannon');
  const { fresh } = load;
  const body = load.body ?? (bytes > 0 ? Buffer.alloc(bytes, 'x') : undefined);
  let count = 0;
  const setupRequest = (request) => {
    count += 1;
    return { ...request, path: fresh + count };
  };
  const requests =
    fresh === undefined
      ? paths.map((path) => ({ method, path, headers, body }))
      : [{ method, path: fresh, body, setupRequest }];
  const result = await autocannon({
    url: `http://127.0.0.1:${port}`,
    connections,
    duration: seconds,
    requests,
  });
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(`autocannon: ${result.non2xx} answers not 2xx, ${result.errors} errors`);
  }
  return result.requests.total / result.duration;
}

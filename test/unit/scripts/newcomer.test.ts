import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const scripts = fileURLToPath(new URL('../../../scripts/', import.meta.url));
const folder = fs.mkdtempSync(path.join(tmpdir(), 'newcomer-test-'));
after(() => fs.rmSync(folder, { recursive: true }));

/** Serves its arguments at any path except /none, and leaves a file when it is stopped. */
const gateway = `
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
const server = createServer((request, response) => {
  response.statusCode = request.url === '/none' ? 404 : 200;
  response.end(JSON.stringify(process.argv.slice(2)));
});
server.listen(Number(process.env.GATEWAY_PORT ?? 0), '127.0.0.1', () => {
  const { port } = server.address();
  console.log(JSON.stringify({ pid: process.pid, port, msg: 'ready' }));
});
process.once('SIGTERM', () => {
  writeFileSync('stopped', '');
  process.exit();
});
`;

/** A checkout with the program, pages and a program that stands for the gateway. */
let root: string;
beforeEach(() => {
  root = fs.mkdtempSync(path.join(folder, 'checkout-'));
  fs.mkdirSync(path.join(root, 'docs'));
  fs.mkdirSync(path.join(root, 'scripts'));
  fs.cpSync(path.join(scripts, 'newcomer'), path.join(root, 'scripts/newcomer'), {
    recursive: true,
  });
  fs.copyFileSync(path.join(scripts, 'newcomer.mjs'), path.join(root, 'scripts/newcomer.mjs'));
  fs.writeFileSync(path.join(root, 'gateway.mjs'), gateway);
  const manifest = { private: true, scripts: { start: 'exec node gateway.mjs' } };
  fs.writeFileSync(path.join(root, 'package.json'), JSON.stringify(manifest));
});

const fenced = (language: string, ...lines: string[]) =>
  `\`\`\`${language}\n${lines.join('\n')}\n\`\`\`\n`;

/** Writes pages and plays them in this order; returns the lines of the output, without times. */
function play(pages: Record<string, string>): { status: number | null; lines: string[] } {
  for (const [name, text] of Object.entries(pages)) fs.writeFileSync(path.join(root, name), text);
  const args = [path.join(root, 'scripts/newcomer.mjs'), ...Object.keys(pages)];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(stderr, '');
  return {
    status,
    lines: stdout
      .trimEnd()
      .replaceAll(/, [\d.]+ s$/gm, '')
      .split('\n'),
  };
}

describe('the newcomer', () => {
  it('plays the examples of a page in order, in one folder', () => {
    const { status, lines } = play({
      'docs/client.md': [
        fenced('sh', 'echo "a = 1" > a.py', 'echo b c'),
        fenced('text', 'b …'),
        fenced('python', 'import a', 'print(a.a)'),
        fenced('text', '1'),
      ].join('\n'),
    });
    assert.deepEqual(lines, ['docs/client.md:1 sh: ok', 'docs/client.md:10 python: ok']);
    assert.equal(status, 0);
  });

  it('names page and line of an example that prints something else, and goes on with the next page', () => {
    const { status, lines } = play({
      'docs/client.md': `# A\n\n${fenced('sh', 'echo one')}\n${fenced('text', 'two')}\n${fenced('sh', 'true')}`,
      'docs/errors.md': fenced('sh', 'true'),
    });
    assert.deepEqual(lines, [
      ...['FAILED docs/client.md:3 sh: it prints', 'one', 'instead of', 'two'],
      'docs/errors.md:1 sh: ok',
      'failed: docs/client.md',
    ]);
    assert.equal(status, 1);
  });

  it('fails for a command that fails, and shows what it says', () => {
    const { status, lines } = play({ 'docs/client.md': fenced('sh', 'echo because >&2', 'false') });
    assert.deepEqual(lines.slice(0, 2), [
      'FAILED docs/client.md:1 sh: sh ended with 1:',
      'because',
    ]);
    assert.equal(status, 1);
  });

  it('starts the gateway as the page says, plays on its port and stops it', () => {
    const { lines, status } = play({
      'docs/client.md': [
        fenced(
          'console',
          'npm ci',
          "npm ci && npm start -- --pool '[::1]:8080'",
          'echo other > file',
        ),
        fenced('sh', 'curl -sS http://127.0.0.1:8080/any', 'cat file'),
        fenced('text', '["--pool","[::1]:0"]other'),
      ].join('\n'),
    });
    assert.deepEqual(lines, ['docs/client.md:1 console: ok', 'docs/client.md:7 sh: ok']);
    assert.equal(status, 0);
    assert.ok(fs.existsSync(path.join(root, 'stopped')));
  });

  it('plays README.md in a fresh checkout and changes nothing in this one', () => {
    fs.writeFileSync(path.join(root, 'kept'), '');
    const { lines, status } = play({
      'README.md': [
        fenced('console', 'rm kept && touch made && npm start'),
        fenced('sh', 'curl -sS http://127.0.0.1:8080/any'),
        `${fenced('text', '[]')}\n${fenced('console', 'npm ci && npm test')}`,
        ...['docker build', 'kubectl apply'].map((command) => fenced('console', command)),
      ].join('\n'),
    });
    assert.deepEqual(lines, [
      ...['README.md:1 console: ok', 'README.md:5 sh: ok'],
      'README.md:13 console: not played, runs the tests themselves',
      'README.md:17 console: not played, needs a container engine; scripts/check-dockerfile-steps.mjs runs the steps of the Dockerfile',
      'README.md:21 console: not played, needs a cluster; tests check the manifests',
    ]);
    assert.equal(status, 0);
    const left = ['kept', 'made', 'stopped'].filter((name) => fs.existsSync(path.join(root, name)));
    assert.deepEqual(left, ['kept']);
  });

  it('fails for an error response, unless the page shows it', () => {
    const request = fenced('sh', 'curl -sS http://127.0.0.1:8080/none');
    const { status, lines } = play({
      'docs/client.md': `${request}\n${fenced('text', '[]')}`,
      'docs/errors.md': request,
    });
    assert.deepEqual(lines.slice(0, 3), [
      'docs/client.md:1 sh: ok',
      'FAILED docs/errors.md:1 sh: sh ended with 22:',
      'curl: (22) The requested URL returned error: 404',
    ]);
    assert.equal(status, 1);
  });

  it('reports a gateway that does not start', () => {
    fs.writeFileSync(path.join(root, 'gateway.mjs'), 'throw new Error("no port")');
    const { status, lines } = play({ 'docs/client.md': fenced('console', 'npm start') });
    assert.equal(lines[0], 'FAILED docs/client.md:1 console: "npm start" started no gateway:');
    assert.match(lines.join('\n'), /no port/);
    assert.equal(status, 1);
  });

  it('explains what it does not play, and fails for an example without explanation', () => {
    const reason = 'needs the library of the distributed engine';
    const preload = fenced('console', 'LD_PRELOAD=x node program.js');
    assert.deepEqual(play({ 'docs/node-store.md': preload }).lines, [
      `docs/node-store.md:1 console: not played, ${reason}`,
    ]);
    for (const [text, fault] of [
      [fenced('ruby', 'puts 1'), 'docs/client.md:1 ruby: no interpreter for this language'],
      ['\n```sh\ntrue\n', 'docs/client.md:2: the block has no end'],
    ] as const) {
      const { status, lines } = play({ 'docs/client.md': text });
      assert.ok(lines[0]?.startsWith(`FAILED ${fault}`), lines[0]);
      assert.equal(status, 1);
    }
  });

  it('fails if an example that it does not play is no longer on the page', () => {
    const { status, lines } = play({ 'docs/node-store.md': fenced('sh', 'true') });
    assert.match(lines[0] ?? '', /^FAILED docs\/node-store\.md: .* does not have: LD_PRELOAD=$/);
    assert.equal(status, 1);
  });
});

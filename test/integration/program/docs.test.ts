import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { defaultSizes, type ReadyGateway, startGateway } from '../../helpers/process/gateway.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

interface Example {
  language: string;
  line: number;
  code: string;
  /** The `text` block right after the code; `…` in it stands for any text on its line. */
  expected: string | undefined;
}

/** Returns the blocks that readers may copy: `sh`, `python` and `js`. `console` blocks are not run. */
function examplesOf(markdown: string): Example[] {
  const blocks = [...markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map((match) => ({
    language: match[1] ?? '',
    code: match[2] ?? '',
    line: markdown.slice(0, match.index).split('\n').length,
  }));
  return blocks.flatMap((block, at) => {
    if (!['sh', 'python', 'js'].includes(block.language)) return [];
    const next = blocks[at + 1];
    return [{ ...block, expected: next?.language === 'text' ? next.code : undefined }];
  });
}

const curlHome = mkdtempSync(path.join(tmpdir(), 'curl-'));
writeFileSync(path.join(curlHome, '.curlrc'), 'fail\n');
after(() => rmSync(curlHome, { recursive: true }));

const interpreters: Record<string, [string, ...string[]]> = {
  sh: ['sh', '-eu'],
  python: ['python3', '-'],
  js: [process.execPath, '--input-type=module', '-'],
};

/** With `strict`, curl fails on an error response, as if called with -f. */
function run(example: Example, code: string, cwd: string, strict: boolean): Promise<string> {
  const env = { ...process.env, ...(strict ? { CURL_HOME: curlHome } : {}) };
  const [command, ...args] = interpreters[example.language] ?? ['false'];
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, { cwd, env }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${error.message}\n${stdout}${stderr}`));
    });
    child.stdin?.end(code);
  });
}

function patternOf(expected: string): RegExp {
  const literal = expected.trimEnd().replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${literal.replaceAll('…', '.*')}$`);
}

/** The pages that run on one gateway, one after the other: their keys differ. */
interface Gateway {
  readonly pages: readonly string[];
  readonly args: readonly string[];
}

/** The flags of the gateway that the tutorial starts. */
function tutorialFlags(): string[] {
  const [, flags] = /^npm start -- (.*)$/m.exec(read('docs/tutorial.md')) ?? [];
  assert.ok(flags !== undefined, 'docs/tutorial.md starts no gateway with flags');
  return flags.split(' ');
}

const gateways: Gateway[] = [
  { pages: ['README.md', 'docs/getting-started.md', 'docs/http-api.md'], args: [] },
  // It fills the pool.
  { pages: ['docs/tutorial.md'], args: tutorialFlags() },
];

for (const { pages, args } of gateways) {
  describe(`on a gateway ${args.length === 0 ? 'without flags' : `with ${args.join(' ')}`}`, () => {
    let gateway: ReadyGateway;
    before(async () => {
      gateway = await startGateway({ args, env: defaultSizes });
    });
    after(() => gateway.stop());

    for (const name of pages) describe(name, () => runPage(name, () => gateway));
  });
}

function runPage(name: string, gateway: () => ReadyGateway): void {
  const folder = mkdtempSync(path.join(tmpdir(), 'docs-'));
  after(() => rmSync(folder, { recursive: true }));

  for (const example of examplesOf(read(name))) {
    it(`prints the documented output in line ${example.line} (${example.language})`, async () => {
      const address = `127.0.0.1:${gateway().port}`;
      const code = example.code.replaceAll('127.0.0.1:8080', address);
      // Node resolves a package's own name only from inside the package.
      const cwd = example.language === 'js' ? root : folder;
      const printed = await run(example, code, cwd, name === 'README.md');
      if (example.expected !== undefined) {
        assert.match(printed.trimEnd(), patternOf(example.expected));
      }
    });
  }
}

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { codeName } from '../../src/errors/engine-codes.ts';
import { type ProblemSlug, problemKinds } from '../../src/errors/problems.ts';
import { isolationFields } from '../../src/http/response/headers.ts';
import { checkResponse } from '../helpers/openapi/openapi.ts';
import { openApiDocument, problemsOf, resolve } from '../helpers/openapi/openapi-document.ts';

interface Example {
  type: string;
  title: string;
  status: number;
  retryable: boolean;
  requestId: string;
  code?: number;
  name?: string;
}

const examples = Object.values(openApiDocument.components.responses).flatMap((response) =>
  Object.entries(response.content?.['application/problem+json']?.examples ?? {}).map(
    ([slug, { value }]) => ({ slug, value: value as unknown as Example }),
  ),
);

const operations = Object.entries(openApiDocument.paths).flatMap(([path, item]) =>
  Object.entries(item)
    .filter(([name]) => name !== 'parameters')
    .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
);

/** The values of all members with this name that are schemas, at any depth. */
function membersNamed(name: string, node: unknown): object[] {
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([member, value]: [string, unknown]) => {
    const isSchema =
      member === name && typeof value === 'object' && value !== null && !Array.isArray(value);
    return isSchema ? [value, ...membersNamed(name, value)] : membersNamed(name, value);
  });
}

describe('openapi.yaml', () => {
  it('has an example of every kind of problem, and of no other', () => {
    assert.deepEqual(examples.map(({ slug }) => slug).sort(), Object.keys(problemKinds).sort());
  });

  it('gives each example the title, status and retryability of its kind', () => {
    for (const { slug, value } of examples) {
      const { title, status, retryable } = problemKinds[slug as ProblemSlug];
      const { type } = value;
      assert.deepEqual(
        { type, title: value.title, status: value.status, retryable: value.retryable },
        { type: `/problems/${slug}`, title, status, retryable },
      );
    }
  });

  it('names the codes in its examples like the engine', () => {
    for (const { slug, value } of examples) {
      assert.equal(value.name, value.code === undefined ? undefined : codeName(value.code), slug);
    }
  });

  it('describes each problem in a form that its own examples have', () => {
    for (const { method, path, operation } of operations) {
      if (method === 'HEAD') continue;
      const problems = problemsOf(operation);
      for (const reference of Object.values(operation.responses)) {
        const content = resolve(reference).content?.['application/problem+json'];
        for (const [slug, { value }] of Object.entries(content?.examples ?? {})) {
          if (!problems.has(slug)) continue;
          const { requestId, status } = value as unknown as Example;
          checkResponse({
            method,
            path: path.replace('{key}', 'kv%2Fblock-7').replace('{slug}', 'no-room'),
            status,
            headers: {
              ...isolationFields,
              'content-type': 'application/problem+json',
              'cache-control': 'no-store',
              'x-request-id': requestId,
              ...headersOf(status),
            },
            body: JSON.stringify(value),
          });
        }
      }
    }
  });

  it('names in x-problems only kinds of problems and groups of them, and each kind somewhere', () => {
    const groups = openApiDocument['x-problem-groups'];
    assert.deepEqual(
      Object.keys(groups).filter((name) => name in problemKinds),
      [],
    );
    const named = operations.flatMap(({ operation }) => [...problemsOf(operation)]);
    assert.deepEqual([...new Set(named)].sort(), Object.keys(problemKinds).sort());
  });

  it('has a default response for each operation', () => {
    for (const { method, operation } of operations) {
      const name = method === 'HEAD' ? 'HeadProblem' : 'Problem';
      const reference = { $ref: `#/components/responses/${name}` };
      assert.deepEqual(operation.responses['default'], reference, operation.operationId);
    }
  });

  it('lists each kind of problem with its status once, in the description', () => {
    const rows = openApiDocument.info.description.matchAll(/^\| (\d+) \| (.*) \|$/gm);
    const listed = [...rows].flatMap(([, status, text = '']) =>
      [...text.matchAll(/\[([a-z-]+)\]\(\/problems\/\1\)/g)].map(([, slug]) => [
        slug,
        Number(status),
      ]),
    );
    const kinds = Object.entries(problemKinds).map(([slug, { status }]) => [slug, status]);
    assert.deepEqual(listed.sort(), kinds.sort());
  });

  it('gives a name to the schema of the items of every array, unless they are scalars', () => {
    for (const items of membersNamed('items', openApiDocument)) {
      const { $ref, type } = items as { $ref?: string; type?: string };
      // A property may be called items too; it is an array.
      const isPlain = ['string', 'integer', 'array'].includes(type ?? '');
      assert.ok($ref !== undefined || isPlain, inspect(items));
    }
  });

  it('gives every size in bytes the format int64', () => {
    const { schemas } = openApiDocument.components;
    const sizes = ['size', 'totalBytes', 'usedBytes', 'expectedBytes', 'actualBytes', 'limitBytes'];
    for (const name of sizes) {
      const found = membersNamed(name, schemas);
      assert.ok(found.length > 0, name);
      for (const size of found) assert.equal((size as { format?: string }).format, 'int64', name);
    }
  });

  it('gives every response a request id and a caching rule', () => {
    for (const { path, method, operation } of operations) {
      for (const [status, reference] of Object.entries(operation.responses)) {
        const names = Object.keys(resolve(reference).headers ?? {});
        assert.ok(names.includes('X-Request-Id'), `${method} ${path} ${status}`);
        assert.ok(names.includes('Cache-Control'), `${method} ${path} ${status}`);
      }
    }
  });
});

describe('lint:openapi', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const description = readFileSync(path.join(root, 'openapi.yaml'), 'utf8');
  const folder = mkdtempSync(path.join(tmpdir(), 'lint-openapi-'));
  after(() => rmSync(folder, { recursive: true }));

  /** Runs the script of package.json on another text; returns exit code and output. */
  function lint(text: string): { status: number | null; said: string } {
    const file = path.join(folder, 'openapi.yaml');
    writeFileSync(file, text);
    const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const command = scripts['lint:openapi']?.replace(/openapi\.yaml$/, file) ?? '';
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
      cwd: root,
      env: {
        ...process.env,
        PATH: `${root}/node_modules/.bin:${process.env['PATH'] ?? ''}`,
        REDOCLY_TELEMETRY: 'off',
        REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
      },
      encoding: 'utf8',
    });
    return { status, said: `${stdout}${stderr}` };
  }

  it('finds nothing wrong', () => {
    const { status, said } = lint(description);
    assert.equal(status, 0, said);
  });

  it('fails on warnings', () => {
    const schemas = '\n  schemas:\n';
    assert.ok(description.includes(schemas));
    const unused = `${schemas}    Unused: { type: object }\n`;
    const { status, said } = lint(description.replace(schemas, unused));
    assert.equal(status, 1, said);
    assert.match(said, /no-unused-components/);
  });
});

/** Statuses of which at least one kind of problem is retryable. */
const RETRYABLE = new Set(
  Object.values(problemKinds)
    .filter(({ retryable }) => retryable)
    .map(({ status }): number => status),
);

function headersOf(status: number): Record<string, string> {
  if (status === 401) return { 'www-authenticate': 'Bearer realm="memcache-gateway"' };
  if (status === 405) return { allow: 'GET, HEAD' };
  if (status === 415) return { 'accept-encoding': 'identity' };
  if (status === 416) return { 'content-range': 'bytes */8994816' };
  return RETRYABLE.has(status) ? { 'retry-after': '1' } : {};
}

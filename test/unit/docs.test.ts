import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { errorsPage } from '../../scripts/generate/errors-page.mjs';
import type { KnownKeys } from '../../src/engine-config/engine-file-lines.ts';
import { localKeys } from '../../src/engine-config/local-config-keys.ts';
import { metaKeys } from '../../src/engine-config/meta-config-keys.ts';
import { mmcCodes } from '../../src/errors/engine-codes.ts';
import { isProblemSlug, problemKinds } from '../../src/errors/problems.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

interface Manifest {
  license?: string;
  engines: { node: string };
  testedNodeVersions: Record<string, string>;
  testedTypeScriptVersions: string[];
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
}

const manifest = JSON.parse(read('package.json')) as Manifest;

/** Package and licence in each row of the table under a heading. */
function rowsUnder(heading: string): [string, string][] {
  const section = read('docs/dependencies.md').split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = [...section.matchAll(/^\| (\S+) \| ([^|]+) \|/gm)].slice(1);
  return rows.map((row) => [row[1] ?? '', row[2] ?? '']);
}

describe('docs/dependencies.md', () => {
  for (const [heading, names] of [
    ['At run time', Object.keys(manifest.dependencies)],
    ['For development', Object.keys(manifest.devDependencies)],
  ] as const) {
    it(`has under "${heading}" the packages of package.json, with their licences`, () => {
      const rows = rowsUnder(heading);
      assert.deepEqual(rows.map(([name]) => name).sort(), [...names].sort());
      for (const [name, licence] of rows) {
        const installed = JSON.parse(read(`node_modules/${name}/package.json`)) as Manifest;
        assert.equal(licence, installed.license, name);
      }
    });
  }
});

describe('an installed gateway', () => {
  interface Lock {
    packages: Record<string, { dev?: boolean; hasInstallScript?: boolean }>;
  }

  it('has no package with an install script except koffi', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as Lock;
    const withScript = Object.entries(packages)
      .filter(([name, { dev, hasInstallScript }]) => name !== '' && !dev && hasInstallScript)
      .map(([name]) => name);
    assert.deepEqual(withScript, ['node_modules/koffi']);
  });
});

describe('docs/errors.md', () => {
  it('is the output of npm run generate', () => {
    assert.equal(read('docs/errors.md'), errorsPage());
  });

  it('gives every code of the engine the status of its response', () => {
    const rows = [...errorsPage().matchAll(/^\| ([−\d]+) \| .* \| (\S+) \[`(\S+)`\]\(#\3\) \|$/gm)];
    assert.equal(rows.length, mmcCodes.filter(({ name }) => /^MMC_(?!OK$)/.test(name)).length);
    for (const [, code, status, slug = ''] of rows) {
      assert.ok(isProblemSlug(slug), slug);
      assert.equal(status, String(problemKinds[slug].status), code);
    }
  });
});

describe('docs/real-engine.md', () => {
  /** The rows of each table of versions: the client's file, then the meta service's. */
  const tables = read('docs/real-engine.md')
    .split('| version | keys that it adds')
    .slice(1)
    .map(
      (text) =>
        new Map([...text.matchAll(/^\| (1\.\d) \| (.*) \|$/gm)].map((row) => [row[1], row[2]])),
    );

  const files: [file: string, index: number, known: KnownKeys][] = [
    ['client', 0, localKeys],
    ['meta service', 1, metaKeys],
  ];
  for (const [file, index, known] of files) {
    it(`names every key that a version adds to the file of the ${file}`, () => {
      for (const version of ['1.1', '1.2'] as const) {
        const keys = [...known.since].filter(([, since]) => since === version);
        const short = keys.map(([key]) => {
          return key.replace('ock.mmc.', '').replace(/^(metrics\.tls)\..*/, '$1.*');
        });
        const named = [...(tables[index]?.get(version) ?? '').matchAll(/`([^`]+)`/g)];
        assert.deepEqual(
          new Set(named.map(([, name]) => name)),
          new Set(short),
          `${file} ${version}`,
        );
      }
    });
  }
});

describe('generated pages', () => {
  for (const name of ['errors', 'configuration']) {
    it(`have a value in every place: docs/${name}.md`, () => {
      assert.doesNotMatch(read(`docs/${name}.md`), /\b(undefined|null|NaN|\[object \w+\])/);
    });
  }
});

describe('the pages', () => {
  const inDocs = readdirSync(path.join(root, 'docs')).filter((name) => name.endsWith('.md'));
  const pages = [
    ...['README.md', 'CHANGELOG.md', 'SECURITY.md', 'packages/client/README.md'],
    ...inDocs.map((name) => `docs/${name}`),
  ];

  it('link only to files that exist', () => {
    for (const page of pages) {
      for (const [, target = ''] of read(page).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
        if (/^https?:/.test(target)) continue;
        const file = path.resolve(root, path.dirname(page), target);
        assert.ok(existsSync(file), `${page} links to ${target}`);
      }
    }
  });

  it('in docs are all in the index', () => {
    const index = read('docs/README.md');
    for (const name of readdirSync(path.join(root, 'docs'))) {
      if (name.endsWith('.md') && name !== 'README.md')
        assert.ok(index.includes(`](${name})`), name);
    }
  });

  it('name only variables that exist', async () => {
    // Variables of the examples.
    const ofClients = ['GATEWAY_URL', 'GATEWAY_TOKEN'];
    const { configurationPage } = await import('../../src/config/help.ts');
    const known = configurationPage();
    for (const page of pages) {
      for (const [name] of read(page).matchAll(/\bGATEWAY_[A-Z_]+\b/g)) {
        assert.ok(ofClients.includes(name) || known.includes(`\`${name}\``), `${page}: ${name}`);
      }
    }
  });
});

describe('the documents that files of the repository mention', () => {
  /** Folders that are not part of the repository, and hidden ones. */
  const skipped = /^(\..*|node_modules|build|dist|coverage|results)$/;
  const text = /(\.(c|h|js|json|md|mjs|mts|sh|ts|ya?ml)|^Dockerfile)$/;

  function filesIn(folder: string): string[] {
    return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const name = path.join(folder, entry.name);
      if (entry.isDirectory()) return skipped.test(entry.name) ? [] : filesIn(name);
      return text.test(entry.name) ? [name] : [];
    });
  }

  const files = filesIn('');
  const documents = files.filter((name) => name.endsWith('.md'));

  /** Each match with the file that contains it. */
  const mentions = (pattern: RegExp) =>
    files.flatMap((file) =>
      [...read(file).matchAll(pattern)].map((match) => ({ file, mention: match[1] ?? '' })),
    );

  it('are in the repository', () => {
    const names = new Set(documents.map((name) => path.basename(name)));
    const unknown = mentions(/(?<![\w*$}{/.-])([\w./-]*\w\.md)\b/g).filter(
      ({ mention }) => !names.has(path.basename(mention)),
    );
    assert.deepEqual(unknown, []);
  });

  it('have the cited sections', () => {
    const sections = new Set(read('docs/engine-facts.md').match(/(?<=^## )\d+/gm));
    const cited = mentions(/engine-facts\.md(?:\s|\*)+§(\d+)/g);
    assert.ok(cited.length > 0, String(cited.length));
    assert.deepEqual(
      cited.filter(({ mention }) => !sections.has(mention)),
      [],
    );
  });

  it('include each cited decision', () => {
    const numbers = new Set(
      readdirSync(path.join(root, 'docs/decisions')).map((n) => n.slice(0, 4)),
    );
    const cited = mentions(/docs\/decisions\/(\d{4})/g);
    assert.ok(cited.length > 0, String(cited.length));
    assert.deepEqual(
      cited.filter(({ mention }) => !numbers.has(mention)),
      [],
    );
  });
});

describe('the versions of Node that are tested', () => {
  const lines = Object.keys(manifest.testedNodeVersions).sort();
  const [oldest = '', newest = ''] = [lines[0], lines.at(-1)];

  it('are pinned in their lines, from the oldest that package.json allows', () => {
    for (const line of lines) {
      assert.equal(manifest.testedNodeVersions[line]?.split('.')[0], line);
    }
    assert.equal(manifest.engines.node, `>=${oldest}`);
  });

  it('are named in the pages, and the image is built on the newest', () => {
    const named = `${lines.slice(0, -1).join(', ')} and ${newest}`;
    for (const page of ['README.md', 'CHANGELOG.md', 'docs/getting-started.md']) {
      assert.match(read(page), new RegExp(`\\b${named} are tested`), page);
    }
    assert.match(read('Dockerfile'), new RegExp(`^ARG NODE_VERSION=${newest}$`, 'm'));
  });
});

describe('the versions of TypeScript that are tested', () => {
  it('are named in the pages, from the oldest to the newest', () => {
    const lines = manifest.testedTypeScriptVersions.map((version) => version.replace(/\.\d+$/, ''));
    for (const page of ['CHANGELOG.md', 'docs/client.md', 'docs/node-store.md']) {
      assert.ok(read(page).includes(`TypeScript ${lines[0]} to ${lines.at(-1)}`), page);
    }
  });
});

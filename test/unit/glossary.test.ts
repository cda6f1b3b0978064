import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Json, openApiDocument } from '../helpers/openapi/openapi-document.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
const page = 'docs/glossary.md';

/** The rows of the table with this first column. */
function rowsOf(column: string): [first: string, second: string][] {
  const table = read(page).split(`| ${column} |`)[1]?.split('\n\n')[0] ?? '';
  const rows = [...table.matchAll(/^\| ([^|]+) \| ([^|]+) \|$/gm)];
  return rows.map(([, first = '', second = '']) => [first, second]);
}

const filesIn = (folder: string, end: string): string[] =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(end))
    .map((name) => path.join(folder, name));

/** The descriptions of openapi.yaml, without names of members and schemas. */
function descriptionsIn(value: Json): string[] {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([name, member]) =>
    typeof member === 'string'
      ? /^(description|summary|title|detail)$/.test(name)
        ? [member]
        : []
      : descriptionsIn(member as Json),
  );
}

/** The strings of several words in a source: log lines, texts of errors, help of metrics. */
const sentencesIn = (source: string): string[] =>
  [...source.matchAll(/'([^'\n]* [^'\n]*)'|`([^`\n]* [^`\n]*)`/g)].map(
    ([, quoted, template]) => quoted ?? template ?? '',
  );

const withoutCode = (markdown: string) =>
  markdown.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]+`/g, '');

describe('the glossary', () => {
  const words = rowsOf('word').map(([word]) => word);

  it('has each word once, in alphabetical order', () => {
    assert.ok(words.length > 40, String(words.length));
    const sorted = [...new Set(words)].sort((a, b) => a.localeCompare(b, 'en'));
    assert.deepEqual(words, sorted);
  });

  it('explains each word in one or two sentences', () => {
    for (const [word, meaning] of rowsOf('word')) {
      assert.match(meaning, /\.$/, word);
      assert.ok(meaning.split(/\.(?: |$)/).length - 1 <= 2, word);
    }
  });

  const replaced = rowsOf('not').flatMap(([words, better]) =>
    words.split(', ').map((word) => ({ word, better })),
  );
  const texts: [name: string, text: string][] = [
    ...['README.md', 'CHANGELOG.md', 'SECURITY.md', ...filesIn('docs', '.md')]
      .filter((name) => name !== page)
      .map((name): [string, string] => [name, withoutCode(read(name))]),
    ['openapi.yaml', descriptionsIn(openApiDocument as unknown as Json).join('\n')],
    ...filesIn('src', '.ts')
      .filter((name) => !name.includes('generated'))
      .map((name): [string, string] => [name, sentencesIn(read(name)).join('\n')]),
  ];

  for (const { word, better } of replaced) {
    it(`has a better word for "${word}", which no page, description or log line contains`, () => {
      const pattern = new RegExp(`\\b${word}s?\\b`, 'i');
      const found = texts.flatMap(([name, text]) =>
        text
          .split('\n')
          .filter((line) => pattern.test(line))
          .map((line) => `${name}: ${line} (${better})`),
      );
      assert.deepEqual(found, []);
    });
  }
});

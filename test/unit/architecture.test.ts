import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../src', import.meta.url));
const clientRoot = fileURLToPath(new URL('../../packages/client/src', import.meta.url));

interface Import {
  /** The importing module, relative to src. */
  readonly from: string;
  /** A module relative to src, or the name of a package. */
  readonly to: string;
  /** Only types are imported: nothing is loaded. */
  readonly typesOnly: boolean;
  /** `import()`, which loads when it is executed. */
  readonly late: boolean;
}

const modulesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.startsWith('generated/'))
    .sort();

const modules = modulesIn(root);
const clientModules = modulesIn(clientRoot);

function importsOf(module: string, text: string): Import[] {
  const source = ts.createSourceFile(module, text, ts.ScriptTarget.Latest);
  const found: Import[] = [];
  const add = (specifier: ts.Node | undefined, typesOnly: boolean, late: boolean) => {
    if (specifier === undefined || !ts.isStringLiteral(specifier)) return;
    const to = specifier.text.startsWith('.')
      ? path.join(path.dirname(module), specifier.text)
      : specifier.text;
    found.push({ from: module, to, typesOnly, late });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const clause = node.importClause;
      const names = clause?.namedBindings;
      const allTypes =
        clause?.name === undefined &&
        names !== undefined &&
        ts.isNamedImports(names) &&
        names.elements.every((element) => element.isTypeOnly);
      const typesOnly = clause?.phaseModifier === ts.SyntaxKind.TypeKeyword || allTypes;
      add(node.moduleSpecifier, typesOnly, false);
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, node.isTypeOnly, false);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, true, false);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false, true);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const importsIn = (folder: string, names: readonly string[]): Import[] =>
  names.flatMap((module) => importsOf(module, readFileSync(path.join(folder, module), 'utf8')));

const imports = importsIn(root, modules);
const clientImports = importsIn(clientRoot, clientModules);
const ours = imports.filter(({ to }) => to.endsWith('.ts'));

/** The folder under src, or the name of a module directly in src. */
const layerOf = (module: string): string => module.split('/', 1)[0] ?? module;

/** Each folder imports only from those after it. */
const layers = [
  ...['main.ts', 'cli', 'worker', 'metrics', 'tracing', 'supervisor', 'node-store', 'routes'],
  ...['codecs', 'status-page', 'http', 'store', 'scheduler', 'messages', 'config', 'native'],
  ...['engine-config', 'meta-service', 'os'],
  ...['node-internals', 'log', 'tls', 'tokens', 'files', 'errors', 'collections', 'generated'],
];

/** The imports of the client with names that no module of src has. */
const clientOnly = (): Import[] =>
  clientImports.map((each) => ({ ...each, from: `client/${each.from}`, to: `client/${each.to}` }));

/** Fails with a line for each import that breaks a rule. */
function none(broken: readonly Import[]): void {
  assert.deepEqual(
    broken.map(({ from, to }) => `${from} imports ${to}`),
    [],
  );
}

describe('imports', () => {
  it('are found in every form, with their cost', () => {
    const text = `
      import './a.ts'; import b, { type B } from '../b.ts'; import type { C } from './c.ts';
      import { type D } from './d.ts'; export { e } from './e.ts'; export type { F } from './f.ts';
      type G = import('./g.ts').G; const h = () => import('node:fs');`;
    assert.deepEqual(
      importsOf('http/x.ts', text).map(({ to, typesOnly, late }) => [to, typesOnly, late]),
      [
        ['http/a.ts', false, false],
        ['b.ts', false, false],
        ['http/c.ts', true, false],
        ['http/d.ts', true, false],
        ['http/e.ts', false, false],
        ['http/f.ts', true, false],
        ['http/g.ts', true, false],
        ['node:fs', false, true],
      ],
    );
  });

  it('have one direction: every folder has a place, and imports only from those after it', () => {
    const folders = new Set(modules.map(layerOf));
    assert.deepEqual(
      [...folders].filter((folder) => !layers.includes(folder)),
      [],
    );
    const rank = (module: string) => layers.indexOf(layerOf(module));
    none(
      ours.filter(
        ({ from, to }) =>
          rank(from) >= 0 && layerOf(from) !== layerOf(to) && rank(to) <= rank(from),
      ),
    );
  });

  it('of the supervisor and the worker include the messages between them, and nothing of each other', () => {
    const barred: Record<string, readonly string[]> = {
      worker: ['supervisor'],
      // A supervisor has no engine: it needs HTTP only for its responses without a worker.
      supervisor: ['worker', 'routes', 'codecs', 'store', 'scheduler', 'native', 'node-store'],
      'node-store': ['routes', 'codecs', 'http', 'store', 'messages', 'config'],
    };
    none(ours.filter(({ from, to }) => barred[layerOf(from)]?.includes(layerOf(to)) === true));
  });

  it('of HTTP in the supervisor are only those of the fallback server and of admin:', () => {
    none(
      ours.filter(
        ({ from, to }) =>
          layerOf(from) === 'supervisor' &&
          layerOf(to) === 'http' &&
          !/^supervisor\/(fallback-(server|host|responses)|admin-responses)\.ts$/.test(from),
      ),
    );
  });

  it('of no two folders form a cycle', () => {
    const loads = new Set<string>();
    for (const { from, to, typesOnly } of ours) {
      const [source, target] = [path.dirname(from), path.dirname(to)];
      if (!typesOnly && source !== target) loads.add(`${source} ${target}`);
    }
    const back = (pair: string): string => pair.split(' ').reverse().join(' ');
    assert.deepEqual(
      [...loads].filter((pair) => loads.has(back(pair))),
      [],
    );
  });

  it('of node-internals are only its own modules', () => {
    none(
      ours.filter(
        ({ from, to }) => layerOf(from) === 'node-internals' && layerOf(to) !== 'node-internals',
      ),
    );
  });

  it('of the client are only its own modules: it runs in browsers, and is a package of its own', () => {
    const known = [...clientModules, 'generated/api.ts', 'generated/problem-slugs.ts'];
    const isForNode = (file: string) => file.startsWith('shared-buffer/');
    none(
      clientImports.filter(
        ({ from, to }) => !known.includes(to) && !(isForNode(from) && to.startsWith('node:')),
      ),
    );
    none(clientImports.filter(({ from, to }) => isForNode(to) && !isForNode(from)));
    none(clientImports.filter(({ to, typesOnly }) => to === 'generated/api.ts' && !typesOnly));
  });

  it('of the store include no HTTP', () => {
    none(
      imports.filter(
        ({ from, to }) => layerOf(from) === 'store' && /^(node:)?https?$|^(http|routes)\//.test(to),
      ),
    );
  });

  it('of metrics are only types of the native code and of the pool', () => {
    none(
      ours.filter(
        ({ from, to, typesOnly }) =>
          layerOf(from) === 'metrics' && layerOf(to) !== 'metrics' && !typesOnly,
      ),
    );
  });

  it('of packages are only in the allowed folders', () => {
    const places: Record<string, RegExp> = {
      koffi: /^(native\/abi\/abi|os\/libc)\.ts$/,
      express: /^(worker\/app\.ts|routes\/pages\/docs\.ts|http\/.*)$/,
      helmet: /^routes\/pages\/docs\.ts$/,
      'swagger-ui-express': /^routes\/pages\/docs\.ts$/,
      'prom-client': /^metrics\//,
      // A child process inherits engine sockets, so a worker starts none (docs/engine-facts.md §2).
      'node:child_process':
        /^(supervisor\/processes\/worker-process|cli\/(meta\/service-process|library-check))\.ts$/,
      'node:cluster': /^(?!)/,
      negotiator: /^http\//,
      '@opentelemetry/api': /^tracing\//,
      'structured-headers': /^http\//,
      yaml: /^routes\/pages\/description\.ts$/,
    };
    none(
      imports.filter(({ from, to, typesOnly }) => {
        const place = places[to];
        if (place === undefined || place.test(from)) return false;
        return !(typesOnly && to === 'node:child_process');
      }),
    );
  });

  it('load no heavy package before the program is ready', () => {
    const heavy = [
      'express',
      'helmet',
      'swagger-ui-express',
      'prom-client',
      'pino',
      '@opentelemetry/api',
    ];
    const loaded = new Set([
      ...['cli/command-line.ts', 'cli/serve.ts', 'supervisor/fallback-server.ts'],
      ...['worker/become-worker.ts', 'worker/gateway-server.ts', 'native/engine-client.ts'],
    ]);
    const eager = imports.filter(({ typesOnly, late }) => !typesOnly && !late);
    // Iterating a Set includes members that are added during the iteration.
    for (const module of loaded) {
      for (const { from, to } of eager) if (from === module) loaded.add(to);
    }
    none(eager.filter(({ from, to }) => loaded.has(from) && heavy.includes(to)));
  });

  it('form no cycle', () => {
    const needs = new Map<string, string[]>();
    for (const { from, to, typesOnly, late } of [...ours, ...clientOnly()]) {
      if (!typesOnly && !late) needs.set(from, [...(needs.get(from) ?? []), to]);
    }
    const done = new Set<string>();
    const circles: string[] = [];
    const walk = (module: string, trail: readonly string[]): void => {
      const at = trail.indexOf(module);
      if (at >= 0) circles.push([...trail.slice(at), module].join(' → '));
      if (at >= 0 || done.has(module)) return;
      for (const next of needs.get(module) ?? []) walk(next, [...trail, module]);
      done.add(module);
    };
    for (const module of needs.keys()) walk(module, []);
    assert.deepEqual(circles, []);
  });

  it('lead to modules that exist, and main.ts has none before it has checked the version of Node', () => {
    const known = new Set(modules);
    none(ours.filter(({ to }) => !known.has(to) && !to.startsWith('generated/')));
    none(imports.filter(({ from, late }) => from === 'main.ts' && !late));
  });
});

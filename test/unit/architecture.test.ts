import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../src', import.meta.url));

interface Import {
  /** The importing module, from src. */
  readonly from: string;
  /** A module from src, or the name of a package. */
  readonly to: string;
  /** Only types are taken: nothing is loaded. */
  readonly typesOnly: boolean;
  /** `import()`, when it is reached. */
  readonly late: boolean;
}

const modules = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.startsWith('generated/'))
  .sort();

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

const imports = modules.flatMap((module) =>
  importsOf(module, readFileSync(path.join(root, module), 'utf8')),
);
const ours = imports.filter(({ to }) => to.endsWith('.ts'));

/** The folder under src, or the name of a module that lies in src itself. */
const layerOf = (module: string): string => module.split('/', 1)[0] ?? module;

const isConfig = (module: string): boolean => /^config(-[a-z]+)?\.ts$/.test(module);

/** Fails with a line for each import that breaks a rule. */
function none(broken: readonly Import[]): void {
  assert.deepEqual(
    broken.map(({ from, to }) => `${from} imports ${to}`),
    [],
  );
}

describe('imports', () => {
  it('are found in every form, with what they cost', () => {
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

  it('run one way: main, app and server, routes, codecs and http, store, native', () => {
    const order = [['routes'], ['codecs', 'http'], ['store'], ['native']];
    const rank = (module: string) => order.findIndex((layer) => layer.includes(layerOf(module)));
    none(
      ours.filter(({ from, to }) => {
        if (rank(from) < 0) return false;
        if (layerOf(to) === 'node-internals')
          return layerOf(from) === 'store' || layerOf(from) === 'codecs';
        // From src itself a layer may know errors, configuration and `lazy`, and nothing that wires.
        if (!to.includes('/')) return !['errors.ts', 'lazy.ts'].includes(to) && !isConfig(to);
        if (layerOf(to) === 'metrics' || layerOf(to) === 'pool') return true;
        return rank(to) >= 0 && rank(to) < rank(from);
      }),
    );
  });

  it('of native are its own, and the types of errors and configuration', () => {
    none(
      ours.filter(({ from, to, typesOnly }) => {
        if (layerOf(from) !== 'native' || layerOf(to) === 'native') return false;
        if (layerOf(to) === 'node-internals') return false;
        return !(typesOnly && (to === 'errors.ts' || isConfig(to)));
      }),
    );
  });

  it('of pool are its own, errors, configuration, and of http what answers for no worker', () => {
    const standbyNeeds = [
      ...['http/client-error.ts', 'http/codings.ts', 'http/connect.ts'],
      ...['http/connection-server.ts', 'http/head.ts', 'http/host.ts', 'http/isolation.ts'],
      ...['http/line-limit.ts', 'http/linger.ts', 'http/problem.ts', 'http/query.ts'],
      ...['http/refuse.ts', 'http/request-id.ts', 'http/target.ts'],
    ];
    none(
      ours.filter(({ from, to, typesOnly }) => {
        if (layerOf(from) !== 'pool' || layerOf(to) === 'pool') return false;
        if (layerOf(to) === 'node-internals') return false;
        if (/^pool\/standby(-host)?\.ts$/.test(from) && standbyNeeds.includes(to)) return false;
        return !(to === 'errors.ts' || (isConfig(to) && typesOnly) || to === 'config-table.ts');
      }),
    );
  });

  it('of node-internals are its own', () => {
    none(
      ours.filter(
        ({ from, to }) => layerOf(from) === 'node-internals' && layerOf(to) !== 'node-internals',
      ),
    );
  });

  it('of the client are its own, and types of the description: it runs in browsers', () => {
    none(
      imports.filter(
        ({ from, to, typesOnly }) =>
          layerOf(from) === 'client' &&
          layerOf(to) !== 'client' &&
          !(typesOnly && to === 'generated/openapi.ts'),
      ),
    );
  });

  it('of the store know nothing of HTTP', () => {
    none(
      imports.filter(
        ({ from, to }) => layerOf(from) === 'store' && /^(node:)?https?$|^(http|routes)\//.test(to),
      ),
    );
  });

  it('of metrics are types of the native side and of the pool', () => {
    none(
      ours.filter(
        ({ from, to, typesOnly }) =>
          layerOf(from) === 'metrics' && layerOf(to) !== 'metrics' && !typesOnly,
      ),
    );
  });

  it('of packages stay where they belong', () => {
    const places: Record<string, RegExp> = {
      koffi: /^native\/abi\.ts$/,
      express: /^(app\.ts|routes\/docs\.ts|http\/.*)$/,
      helmet: /^routes\/docs\.ts$/,
      'swagger-ui-express': /^routes\/docs\.ts$/,
      'prom-client': /^metrics\//,
      // Engine sockets are inherited by child processes: none is started from a worker (engine.md §1).
      'node:child_process': /^(pool\/worker-process|meta\/service-process)\.ts$/,
      'node:cluster': /^(?!)/,
      negotiator: /^http\//,
      'structured-headers': /^http\//,
      yaml: /^routes\/description\.ts$/,
    };
    none(
      imports.filter(({ from, to, typesOnly }) => {
        const place = places[to];
        if (place === undefined || place.test(from)) return false;
        return !(typesOnly && to === 'node:child_process');
      }),
    );
  });

  it('load nothing heavy before the program is ready', () => {
    const heavy = ['express', 'helmet', 'swagger-ui-express', 'prom-client', 'pino'];
    const loaded = new Set([
      ...['cli.ts', 'start.ts', 'pool/standby.ts'],
      ...['worker.ts', 'server.ts', 'native/engine-client.ts'],
    ]);
    const eager = imports.filter(({ typesOnly, late }) => !typesOnly && !late);
    // A set goes on to what is added while it is walked.
    for (const module of loaded) {
      for (const { from, to } of eager) if (from === module) loaded.add(to);
    }
    none(eager.filter(({ from, to }) => loaded.has(from) && heavy.includes(to)));
  });

  it('are nowhere in a circle', () => {
    const needs = new Map<string, string[]>();
    for (const { from, to, typesOnly, late } of ours) {
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
    for (const module of modules) walk(module, []);
    assert.deepEqual(circles, []);
  });

  it('lead to modules that exist, and main.ts has none before it has looked at Node', () => {
    const known = new Set(modules);
    none(ours.filter(({ to }) => !known.has(to) && !to.startsWith('generated/')));
    none(imports.filter(({ from, late }) => from === 'main.ts' && !late));
  });
});

describe('what Node does not document', () => {
  const undocumented = new Set([
    ...['_handle', '_header', '_headerSent', '_consuming', '_consumed', 'httpAllowHalfOpen'],
    ...['useUserBuffer', 'kOnBody', 'unconsume', 'onread', '_httpMessage', 'writeQueueSize'],
    ...['_readableState', '_writableState', '_last', '_getActiveHandles', 'binding'],
  ]);

  function namesIn(module: string): string[] {
    const text = readFileSync(path.join(root, module), 'utf8');
    const found: string[] = [];
    const visit = (node: ts.Node): void => {
      if ((ts.isIdentifier(node) || ts.isStringLiteral(node)) && undocumented.has(node.text)) {
        found.push(`${module} names ${node.text}`);
      }
      ts.forEachChild(node, visit);
    };
    visit(ts.createSourceFile(module, text, ts.ScriptTarget.Latest));
    return found;
  }

  it('is used in node-internals and nowhere else', () => {
    const outside = modules.filter((module) => layerOf(module) !== 'node-internals');
    assert.deepEqual(outside.flatMap(namesIn), []);
    assert.ok(namesIn('node-internals/direct-read.ts').length > 0);
  });
});

describe('names', () => {
  it('of modules and folders say what is in them', () => {
    const empty = /(^|[-/.])(utils?|helpers?|managers?|common|misc|shared|lib)([-/.]|$)/;
    // Memory that processes share is called so by everyone.
    const named = modules.filter((module) => empty.test(module.replace('shared-memory', '')));
    assert.deepEqual(named, []);
  });

  it('of modules are words in lower case with dashes', () => {
    assert.deepEqual(
      modules.filter(
        (module) => !/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(module),
      ),
      [],
    );
  });
});

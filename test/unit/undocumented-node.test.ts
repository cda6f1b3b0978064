import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../src', import.meta.url));

const modules = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.startsWith('generated/'))
  .sort();

describe('an undocumented part of Node', () => {
  const undocumented = new Set([
    ...['_handle', '_header', '_headerSent', '_consuming', '_consumed', 'httpAllowHalfOpen'],
    ...['useUserBuffer', 'kOnBody', 'unconsume', 'onread', '_httpMessage', 'writeQueueSize'],
    ...['_readableState', '_writableState', '_last', '_getActiveHandles', 'binding'],
    ...[
      'destroySoon',
      'assignSocket',
      'detachSocket',
      'shouldKeepAlive',
      '_dump',
      '_removedConnection',
    ],
  ]);
  /** Calls with this first argument, on an object with this name. */
  const calls = [
    { method: /^emit$/, argument: /^(pause|resume|socket|listening)$/, on: /./ },
    {
      method: /^(removeAllListeners|removeListener|off|listeners)$/,
      argument: /^data$/,
      on: /socket$/i,
    },
    { method: /^push$/, argument: /^$/, on: /socket$/i },
    { method: /^(on|once|prependListener)$/, argument: /^socket$/, on: /^res(ponse)?$/ },
  ];

  const parsed = new Map<string, ts.SourceFile>();
  const parse = (module: string, text: string) =>
    ts.createSourceFile(module, text, ts.ScriptTarget.Latest);
  const sourceOf = (module: string): ts.SourceFile => {
    const source =
      parsed.get(module) ?? parse(module, readFileSync(path.join(root, module), 'utf8'));
    parsed.set(module, source);
    return source;
  };

  function namesIn(module: string): string[] {
    const found: string[] = [];
    const visit = (node: ts.Node): void => {
      if ((ts.isIdentifier(node) || ts.isStringLiteral(node)) && undocumented.has(node.text)) {
        found.push(`${module} names ${node.text}`);
      }
      ts.forEachChild(node, visit);
    };
    visit(sourceOf(module));
    return found;
  }

  function callsIn(module: string, source: ts.SourceFile): string[] {
    const found: string[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
        const { expression, name } = node.expression;
        const [first] = node.arguments;
        const isTrick =
          first !== undefined &&
          ts.isStringLiteral(first) &&
          calls.some(
            ({ method, argument, on }) =>
              method.test(name.text) &&
              argument.test(first.text) &&
              on.test(expression.getText(source)),
          );
        if (isTrick) found.push(`${module} calls ${node.getText(source)}`);
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
    return found;
  }

  const outside = modules.filter((module) => !module.startsWith('node-internals/'));

  it('is used in node-internals and nowhere else', () => {
    assert.deepEqual(outside.flatMap(namesIn), []);
    assert.ok(namesIn('node-internals/direct-read.ts').length > 0);
  });

  it('is called in node-internals and nowhere else', () => {
    const callsOf = (module: string) => callsIn(module, sourceOf(module));
    assert.deepEqual(outside.flatMap(callsOf), []);
    assert.ok(callsOf('node-internals/parser-removal.ts').length > 0);
    const text = `socket.emit('pause'); req.socket.removeAllListeners('data'); socket.push('');
      res.once('socket', take); request.once('socket', take); lines.push(''); socket.on('data', take);`;
    assert.deepEqual(callsIn('x.ts', parse('x.ts', text)), [
      "x.ts calls socket.emit('pause')",
      "x.ts calls req.socket.removeAllListeners('data')",
      "x.ts calls socket.push('')",
      "x.ts calls res.once('socket', take)",
    ]);
  });
});

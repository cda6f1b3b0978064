import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { createTail, withoutKeys } from '../../../../src/supervisor/processes/stderr-tail.ts';

/** The stderr output of a Node process that runs this code and ends. */
function dying(program: string, ...flags: string[]): string[] {
  const url = `data:text/javascript,${encodeURIComponent(program)}`;
  const { stderr } = spawnSync(process.execPath, [...flags, '--import', url, '-e', '0'], {
    encoding: 'utf8',
  });
  return stderr.split('\n');
}

const leftOut = (count: number) =>
  `(lines left out that may name keys, see --log-level debug: ${count})`;

describe('the stderr tail of a process', () => {
  it('has the last bytes, across chunks', () => {
    const tail = createTail(8);
    tail.push(Buffer.from('0123456789'));
    tail.push(Buffer.from('ab\n'));
    assert.equal(tail.text(), '56789ab');
  });

  it('has complete lines if the start of a line matters', () => {
    const tail = createTail(16);
    tail.push(Buffer.from('one\n'));
    assert.deepEqual(tail.lines(), ['one', '']);
    tail.push(Buffer.from('key=(node:1) a key\ntwo'));
    assert.equal(tail.text(), '(node:1) a key\ntwo'.slice(-16));
    assert.deepEqual(tail.lines(), ['two']);
  });
});

describe('the stderr tail without keys', () => {
  it('has the error that ended Node, and its position', () => {
    const reported = withoutKeys(
      dying(`
        import { readFileSync } from 'node:fs';
        readFileSync('/nowhere');`),
    );
    assert.match(reported, /^Error: ENOENT: no such file or directory, open '\/nowhere'$/m);
    assert.match(reported, /^ {4}at readFileSync \(node:fs:\d+:\d+\)$/m);
    assert.match(reported, /^Node\.js v\d+/m);
  });

  it('has a missing module', () => {
    const reported = withoutKeys(dying("import 'file:///nowhere.js';"));
    assert.match(reported, /^Error \[ERR_MODULE_NOT_FOUND\]: Cannot find module '\/nowhere\.js'/m);
  });

  it('has V8\u2019s out-of-memory message', () => {
    const program = 'const all = []; for (;;) all.push(new Array(1e5).fill(all));';
    const reported = withoutKeys(dying(program, '--max-old-space-size=16'));
    assert.match(reported, /^FATAL ERROR: .* - JavaScript heap out of memory$/m);
  });

  it('has crash messages of the C and C++ libraries, but no text of an exception', () => {
    const lines = [
      "terminate called after throwing an instance of 'std::runtime_error'",
      '  what():  no such key: secret',
      'double free or corruption (!prev)',
      'free(): invalid pointer',
    ];
    assert.equal(withoutKeys(lines), [lines[0], ...lines.slice(2), leftOut(1)].join('\n'));
  });

  it('has no other output of an engine', () => {
    const lines = [
      'ERROR copy of secret failed',
      'Error: get of secret',
      'MmcError: get of secret',
      '    at secret',
      'WARN key (node:1) secret',
      'WARN    at secret (file:///secret:1:1)',
      'FATAL ERROR: secret',
    ];
    assert.equal(withoutKeys(lines), leftOut(lines.length));
    const [head = ''] = lines.slice(1);
    const ours = ['TypeError: ours', '    at open (file:///srv/worker.js:3:5)'];
    assert.equal(withoutKeys([head, ...ours]), [...ours, leftOut(1)].join('\n'));
    assert.equal(withoutKeys(['', '']), '');
  });
});

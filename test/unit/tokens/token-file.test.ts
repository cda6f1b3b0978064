import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  formatTokenFile,
  MAX_PREFIXES,
  MAX_TOKENS,
  parseTokenFile,
} from '../../../src/tokens/token-file.ts';
import { testToken } from '../../helpers/process/token-files.ts';

const { entry } = testToken({ prefixes: ['model-a/', 'ä b"'], expiresMs: 1_800_000_000_123 });
const parse = (text: string) => parseTokenFile(Buffer.from(text));
const plain = JSON.parse(formatTokenFile([entry])) as { tokens: [Record<string, unknown>] };
const withMember = (changes: Record<string, unknown>) =>
  parse(JSON.stringify({ version: 1, tokens: [{ ...plain.tokens[0], ...changes }] }));

function faultOf(parsed: ReturnType<typeof parse>): string {
  assert.ok('faults' in parsed, JSON.stringify(parsed));
  return parsed.faults.join('\n');
}

describe('a token file', () => {
  it('reads back as it was written, with one token in each line', () => {
    const entries = [entry, testToken().entry];
    const text = formatTokenFile(entries);
    assert.deepEqual(parse(text), { tokens: entries });
    assert.equal(text.split('\n').filter((line) => line.includes('"id"')).length, 2);
    assert.deepEqual(parse(formatTokenFile([])), { tokens: [] });
  });

  it('is refused if it is empty, no JSON, of another version, or has unknown members', () => {
    assert.match(faultOf(parse('')), /is empty/);
    for (const text of ['x', '[]', 'null', '"a"', '\u{feff}{"version":1,"tokens":[]}']) {
      assert.match(faultOf(parse(text)), /no JSON object|not a JSON object/, text);
    }
    assert.match(faultOf(parseTokenFile(Buffer.from([0x7b, 0xff, 0x7d]))), /not a JSON object/);
    for (const text of ['{}', '{"version":2,"tokens":[]}', '{"version":"1","tokens":[]}']) {
      assert.match(faultOf(parse(text)), /no "version" 1/, text);
    }
    assert.match(faultOf(parse('{"version":1}')), /no array "tokens"/);
    assert.match(faultOf(parse('{"version":1,"tokens":[],"toknes":1}')), /member "toknes"/);
    assert.match(faultOf(withMember({ prefix: 'a' })), /tokens\[0\] .*member "prefix"/);
  });

  it('is refused if a member of a token is missing, of another type or out of range', () => {
    const faulty: [string, unknown[], RegExp][] = [
      ['id', [undefined, '', 'abc', 'ABCD', 'a_bc', 'g000', 'a'.repeat(33), 7], /"id"/],
      ['sha256', [undefined, '', 'a'.repeat(63), 'a'.repeat(65), 'A'.repeat(64)], /"sha256"/],
      ['scopes', [undefined, [], 'read', ['all'], ['read', 1], ['constructor']], /"scopes"/],
      [
        'prefixes',
        [undefined, null, 'a', [''], [1], ['a\n'], ['\ud800'], ['a'.repeat(256)]],
        /prefixes/,
      ],
      ['expires', [undefined, '', 'soon', 0, '2027-01-31', '2027-13-01T00:00:00Z'], /"expires"/],
      ['expires', ['2027-02-29T00:00:00Z', '2027-04-31T00:00:00Z'], /"expires"/],
      ['expires', ['2027-01-31T24:00:00Z', '2027-01-31T23:59:60Z'], /"expires"/],
    ];
    for (const [name, values, pattern] of faulty) {
      for (const value of values) {
        assert.match(faultOf(withMember({ [name]: value })), pattern, `${name} ${String(value)}`);
      }
    }
    assert.match(faultOf(parse('{"version":1,"tokens":[7]}')), /tokens\[0\] is no object/);
  });

  it('accepts each limit, and refuses one past it', () => {
    assert.ok('tokens' in withMember({ id: 'a'.repeat(32) }));
    assert.ok('tokens' in withMember({ id: 'abcd' }));
    assert.ok('tokens' in withMember({ prefixes: ['a'.repeat(255)] }));
    const prefixes = Array.from({ length: MAX_PREFIXES }, (_, n) => `p${n}/`);
    assert.ok('tokens' in withMember({ prefixes }));
    assert.match(faultOf(withMember({ prefixes: [...prefixes, 'more/'] })), /at most 16/);
    const many = Array.from({ length: MAX_TOKENS }, (_, n) => ({
      ...entry,
      id: n.toString(16).padStart(12, '0'),
    }));
    assert.ok('tokens' in parse(formatTokenFile(many)));
    const more = [...many, { ...entry, id: 'ffffffffffff' }];
    assert.match(faultOf(parse(formatTokenFile(more))), /has 10001 tokens/);
  });

  it('is refused if two tokens have one id', () => {
    assert.match(faultOf(parse(formatTokenFile([entry, entry]))), /tokens\[1\] has the id/);
  });

  it('reports several faults at once, and no hash', () => {
    const bad = { ...plain.tokens[0], scopes: [] };
    const fault = faultOf(parse(JSON.stringify({ version: 1, tokens: [bad, bad] })));
    assert.match(fault, /tokens\[0\].*\n.*tokens\[1\]/);
    assert.ok(!fault.includes(entry.sha256));
    const bads = Array.from({ length: 50 }, () => bad);
    assert.equal(
      faultOf(parse(JSON.stringify({ version: 1, tokens: bads }))).split('\n').length,
      20,
    );
  });
});

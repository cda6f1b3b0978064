import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { newToken } from '../../../src/tokens/token.ts';
import { hasExpired, TokenTable } from '../../../src/tokens/token-table.ts';
import { testToken } from '../../helpers/process/token-files.ts';

describe('a new token', () => {
  it('has an id in hexadecimal and a secret of 32 bytes in base64url, whose text is hashed', () => {
    const { id, token, sha256 } = newToken();
    const [, secret = ''] = new RegExp(`^mcg_${id}_([\\w-]{43})$`).exec(token) ?? [];
    assert.match(id, /^[0-9a-f]{12}$/);
    assert.equal(Buffer.from(secret, 'base64url').length, 32);
    assert.equal(sha256, createHash('sha256').update(secret).digest('hex'));
    assert.notEqual(newToken().token, token);
  });
});

describe('a token table', () => {
  it('finds the entry of a token, the first time and again', () => {
    const [one, other] = [testToken(), testToken()];
    const table = new TokenTable([one.entry, other.entry]);
    for (const { token, entry } of [one, other, one, other]) {
      assert.equal(table.verify(token), entry);
    }
  });

  it('refuses any other text, also after the token was verified', () => {
    const { token, entry } = testToken();
    const last = token.endsWith('A') ? 'B' : 'A';
    const wrong = [
      '',
      'mcg_',
      'mcg__',
      `mcg_${entry.id}`,
      `mcg_${entry.id}_`,
      token.slice(0, -1),
      token.slice(0, -1) + last,
      `${token}A`,
      `${token} `,
      ` ${token}`,
      token.toUpperCase(),
      token.replace('mcg_', 'mcx_'),
      token.replace(entry.id, testToken().entry.id),
      `mcg_${entry.id}_${entry.sha256}`,
      `mcg_${entry.id}_${testToken().token.slice(17)}`,
      'mcg_constructor_x',
    ];
    const table = new TokenTable([entry]);
    for (let round = 0; round < 2; round += 1) {
      for (const text of wrong) {
        assert.equal(table.verify(text), undefined, text);
      }
      assert.equal(table.verify(token), entry);
    }
  });

  it('finds an expired token too, which is refused from the millisecond of its end on', () => {
    const { token, entry } = testToken({ expiresMs: 1000 });
    assert.equal(new TokenTable([entry]).verify(token), entry);
    assert.deepEqual(
      [999, 1000, 1001].map((now) => hasExpired(entry, now)),
      [false, true, true],
    );
    assert.equal(hasExpired({ ...entry, expiresMs: null }, Number.MAX_SAFE_INTEGER), false);
  });

  it('of a file without the token refuses it', () => {
    const { token } = testToken();
    assert.equal(new TokenTable([]).verify(token), undefined);
  });
});

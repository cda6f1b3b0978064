import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ClientGoneError } from '../../../../src/errors/client-gone.ts';
import { ProblemError, type ProblemSlug } from '../../../../src/errors/problems.ts';
import {
  contentDigestCheck,
  reprDigest,
  wantedDigest,
} from '../../../../src/http/request/digest.ts';

/** RFC 9530, appendix B: the digests of `{"hello": "world"}` and a line feed. */
const rfcBody = Buffer.from('{"hello": "world"}\n');
const rfc256 = 'sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:';
const rfc512 =
  'sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:';

const refuses = (work: () => unknown, slug: ProblemSlug): void =>
  assert.throws(work, (error) => error instanceof ProblemError && error.slug === slug);

function verify(header: string, body: Uint8Array): void {
  const check = contentDigestCheck(header);
  check?.update(body);
  check?.verify();
}

describe('contentDigestCheck', () => {
  it('accepts the vectors of RFC 9530, and the digest of an empty body', () => {
    verify(rfc256, rfcBody);
    verify(rfc512, rfcBody);
    verify(`${rfc512}, ${rfc256}`, rfcBody);
    verify('sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:', Buffer.alloc(0));
  });

  it('gives the same result however the body is split into chunks', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(300)), (body, cuts) => {
        const digest = createHash('sha256').update(body).digest('base64');
        const check = contentDigestCheck(`sha-256=:${digest}:`);
        const points = [0, ...cuts.sort((a, b) => a - b), body.length];
        for (const [i, from] of points.entries()) {
          check?.update(body.subarray(from, Math.max(from, points[i + 1] ?? body.length)));
        }
        check?.verify();
      }),
    );
  });

  it('refuses a body that differs in one bit, and reports both digests', () => {
    const other = Buffer.from(rfcBody);
    other.writeUInt8(other.readUInt8(3) ^ 1, 3);
    for (const header of [rfc256, rfc512]) refuses(() => verify(header, other), 'digest-mismatch');
    assert.throws(() => verify(rfc256, other), /sha-256 is .+=, not RK\/0qy18.+Dg=/);
  });

  it('refuses a body that matches only one of several digests', () => {
    const wrong = `sha-256=:${Buffer.alloc(32).toString('base64')}:`;
    refuses(() => verify(`${rfc512}, ${wrong}`, rfcBody), 'digest-mismatch');
  });

  it('ignores unknown algorithms next to a known one', () => {
    verify(`md5=:AAAA:, ${rfc256}, sha=:AAAA:`, rfcBody);
  });

  it('is undefined without the header', () =>
    assert.equal(contentDigestCheck(undefined), undefined));

  it('refuses a header that it cannot verify', () => {
    const headers = ['', 'md5=:1B2M2Y8AsgTpgAmY7PhCfg==:', 'toString=:AAAA:', 'unixsum=1'];
    for (const header of headers) refuses(() => contentDigestCheck(header), 'invalid-parameter');
  });

  it('refuses a digest of wrong length or form', () => {
    const of = (bytes: number) => `sha-256=:${Buffer.alloc(bytes).toString('base64')}:`;
    assert.notEqual(contentDigestCheck(of(32)), undefined);
    const wrong = ['sha-256', 'sha-256="abc"', 'sha-256=1', 'sha-256=(:AAAA:)', 'sha-512=:AAAA:'];
    const broken = ['sha-256=:', 'sha-256=:@:', 'sha-256=abc=', '=', ',', 'sha-256=::,'];
    for (const header of [of(31), of(33), of(0), ...wrong, ...broken]) {
      refuses(() => contentDigestCheck(header), 'invalid-parameter');
    }
  });
});

describe('wantedDigest', () => {
  it('chooses the algorithm with the highest weight, and the first of two equal ones', () => {
    assert.equal(wantedDigest('sha-256=1'), 'sha-256');
    assert.equal(wantedDigest('sha-512=3, sha-256=10, unixsum=10'), 'sha-256');
    assert.equal(wantedDigest('sha-256=5, sha-512=10'), 'sha-512');
    assert.equal(wantedDigest('sha-256=5, sha-512=5'), 'sha-256');
    assert.equal(wantedDigest('sha-512=5, sha-256=5'), 'sha-512');
  });

  it('chooses none that has weight 0 or no weight, or is unknown', () => {
    const none = ['sha-256=0', 'md5=10', 'sha-256', 'sha-256=?1', 'sha-256=a', '', 'constructor=1'];
    for (const header of [...none, 'sha-256=-1', 'sha-256="9"']) {
      assert.equal(wantedDigest(header), undefined, header);
    }
  });

  it('ignores an invalid header, because it is only a preference', () => {
    for (const header of ['=', 'sha-256=1;;', 'sha-256=(', '\u00e9']) {
      assert.equal(wantedDigest(header), undefined, header);
    }
    assert.equal(wantedDigest(undefined), undefined);
  });
});

describe('reprDigest', () => {
  const stays = () => false;

  it('stops hashing when the client has disconnected', async () => {
    let looks = 0;
    const leaves = () => ++looks === 3;
    const hashing = reprDigest('sha-256', Buffer.alloc(16 << 20), leaves);
    await assert.rejects(hashing, ClientGoneError);
    assert.equal(looks, 3);
  });

  it('formats the vectors of RFC 9530 as structured fields', async () => {
    assert.equal(await reprDigest('sha-256', rfcBody, stays), rfc256);
    assert.equal(await reprDigest('sha-512', rfcBody, stays), rfc512);
  });

  it('hashes a value of several slices correctly, at each edge of a slice', async () => {
    for (const bytes of [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20]) {
      const value = Buffer.alloc(bytes, 'slice');
      const expected = createHash('sha256').update(value).digest('base64');
      assert.equal(await reprDigest('sha-256', value, stays), `sha-256=:${expected}:`);
    }
  });

  it('yields to other requests between slices of one MiB', async () => {
    let turns = 0;
    let counting = true;
    const count = () => {
      turns++;
      if (counting) setImmediate(count);
    };
    setImmediate(count);
    await reprDigest('sha-512', Buffer.alloc(16 << 20), stays);
    counting = false;
    assert.ok(turns >= 15, `${turns} turns in 16 slices`);
  });
});

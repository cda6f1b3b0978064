import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProblemError } from '../../../../src/errors/problems.ts';
import { browserGuard } from '../../../../src/http/security/host.ts';

const strict = browserGuard({ allowHosts: [], allowOrigins: [] });

/** The slug of the refusal, or undefined if the request is allowed. */
function verdict(
  guard: typeof strict,
  host: string | undefined,
  origin?: string,
  authority?: string,
) {
  try {
    guard(host, origin, authority);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ProblemError);
    return error.slug;
  }
}

describe('the Host header', () => {
  it('may be loopback or any IP address, with any port', () => {
    const names = ['localhost', 'LocalHost', 'localhost.', 'a.localhost', '127.0.0.1', '0.0.0.0'];
    for (const name of [
      ...names,
      '192.0.2.7',
      '[::1]',
      '[::]',
      '[2001:db8::1]',
      '[::FFFF:1.2.3.4]',
    ]) {
      for (const port of ['', ':80', ':8080', ':65535', ':']) {
        assert.equal(verdict(strict, name + port), undefined, name + port);
      }
    }
  });

  it('must not be a name that DNS could point here', () => {
    const names = ['evil.example', 'localhost.evil.example', '127.0.0.1.nip.io', 'xlocalhost'];
    const tricks = [
      'localhost@evil.example',
      'evil.example:80',
      '2130706433',
      '127.1',
      '0x7f.0.0.1',
    ];
    const broken = ['', ' ', ':80', '.', '[::1', '[evil]', '[::1].evil', 'localhost:80:80', 'a b'];
    for (const host of [...names, ...tricks, ...broken, '[::1]@evil', 'localhost/', 'localhost#']) {
      assert.equal(verdict(strict, host), 'host-not-allowed', host);
    }
  });

  it('must be present', () => assert.equal(verdict(strict, undefined), 'malformed-request'));

  it('may be a configured name, in any case, with any port and a trailing dot', () => {
    const guard = browserGuard({
      allowHosts: ['Cache.Example', 'dotted.example.'],
      allowOrigins: [],
    });
    for (const host of ['cache.example', 'CACHE.EXAMPLE:81', 'cache.example.', 'dotted.example']) {
      assert.equal(verdict(guard, host), undefined, host);
    }
    for (const host of ['a.cache.example', 'cache.example.evil', 'cacheXexample']) {
      assert.equal(verdict(guard, host), 'host-not-allowed', host);
    }
  });

  it('must occur once, even if each of two would be allowed', () => {
    for (let round = 0; round < 2; round++) {
      assert.equal(verdict(strict, 'localhost'), undefined);
      for (const joined of ['localhost, localhost', 'localhost, ', ', localhost', 'a, localhost']) {
        assert.equal(verdict(strict, joined), 'malformed-request', joined);
        assert.equal(verdict(strict, joined, undefined, 'localhost'), 'malformed-request', joined);
      }
    }
  });

  it('is overridden by the authority of the target', () => {
    for (let round = 0; round < 2; round++) {
      for (const authority of ['evil.example', 'user@localhost', 'localhost@evil.example', '']) {
        assert.equal(verdict(strict, 'localhost', undefined, authority), 'host-not-allowed');
      }
      assert.equal(verdict(strict, 'evil.example', undefined, 'localhost:1'), undefined);
      assert.equal(verdict(strict, undefined, undefined, 'localhost'), 'malformed-request');
      assert.equal(verdict(strict, 'a:1', 'http://localhost:1', 'localhost:1'), undefined);
      assert.equal(
        verdict(strict, 'localhost:1', 'http://localhost:1', '[::1]:1'),
        'origin-not-allowed',
      );
    }
  });

  it('is judged in the same way on each request, also beyond the number of remembered values', () => {
    for (let round = 0; round < 2; round++) {
      for (let port = 1; port <= 600; port++) {
        assert.equal(verdict(strict, `localhost:${port}`), undefined);
        assert.equal(verdict(strict, `evil.example:${port}`), 'host-not-allowed');
      }
    }
  });

  it('appears in the message without quotes or control characters', () => {
    assert.throws(() => strict('evil"\r\n\u202E', undefined), /host 'evil����'/);
  });
});

describe('the Origin header', () => {
  it("may be that of the gateway's own pages, with either scheme", () => {
    for (const [host, origin] of [
      ['localhost:8080', 'http://localhost:8080'],
      ['LOCALHOST:8080', 'HTTP://localhost:8080'],
      ['127.0.0.1', 'https://127.0.0.1'],
      ['[::1]:8080', 'http://[::1]:8080'],
    ] as const) {
      assert.equal(verdict(strict, host, origin), undefined, origin);
    }
  });

  it('must not be another host, another port, null or an invalid origin', () => {
    const others = ['http://evil.example', 'http://localhost:3000', 'http://localhost', 'null', ''];
    const broken = [
      'localhost:8080',
      'http://localhost:8080/',
      'http://a@localhost:8080',
      'file://',
    ];
    for (const origin of [...others, ...broken, 'http://127.0.0.1:8080', 'ftp://localhost:8080']) {
      assert.equal(verdict(strict, 'localhost:8080', origin), 'origin-not-allowed', origin);
    }
  });

  it('may be a configured origin, including scheme and port', () => {
    const guard = browserGuard({ allowHosts: [], allowOrigins: ['https://Console.Example:444'] });
    assert.equal(verdict(guard, 'localhost', 'https://console.example:444'), undefined);
    for (const origin of ['https://console.example', 'http://console.example:444']) {
      assert.equal(verdict(guard, 'localhost', origin), 'origin-not-allowed', origin);
    }
  });

  it('does not make up for a Host that is not allowed', () => {
    assert.equal(verdict(strict, 'evil.example', 'http://evil.example'), 'host-not-allowed');
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { interpretConfig } from '../../../src/config/config.ts';
import { parseCommandLine } from '../../../src/config/flags.ts';
import { workerPlaces } from '../../../src/config/listen.ts';
import { clientScopes, MAX_CLIENT_RULES } from '../../../src/config/tls/client-scopes.ts';

const interpret = (words: string) => interpretConfig(parseCommandLine(words.split(' ')), {});
function faultsOf(words: string): readonly string[] {
  const interpreted = interpret(words);
  return 'faults' in interpreted ? interpreted.faults : [];
}
const files = '--tls-cert c --tls-key k';
const tls = `${files} --listen tls:127.0.0.1:1`;

describe('listeners with TLS', () => {
  it('need a certificate and its key, and these need such a listener', () => {
    assert.deepEqual(faultsOf(tls), []);
    const cases: readonly (readonly [string, RegExp])[] = [
      ['--listen tls:127.0.0.1:1', /give --tls-cert FILE and --tls-key FILE as well/],
      ['--listen tls:127.0.0.1:1 --tls-cert c', /give --tls-key FILE as well/],
      ['--listen tls:127.0.0.1:1 --tls-key k', /give --tls-cert FILE as well/],
      ['--tls-cert c', /^--tls-cert: no listener uses TLS/],
      ['--tls-key k --listen 127.0.0.1:1', /^--tls-key: no listener uses TLS/],
      ['--tls-client-ca a --tls-client-scopes CN=*=read', /^--tls-client-ca: no listener uses TLS/],
      [`${tls} --tls-client-ca a`, /^--tls-client-ca: no client certificate has a scope/],
      [`${tls} --tls-client-scopes CN=*=read`, /give --tls-client-ca FILE as well/],
      ['--listen admin:127.0.0.1:1', /no listener serves objects/],
      [`${tls},127.0.0.1:1`, /127.0.0.1:1 is given more than once/],
      [`${tls},admin:127.0.0.1:1`, /127.0.0.1:1 is given more than once/],
    ];
    for (const [words, expected] of cases) {
      const faults = faultsOf(words);
      assert.equal(faults.length, 1, `${words}: ${faults.join('\n')}`);
      assert.match(faults[0] ?? '', expected);
    }
  });

  it('beyond loopback need tokens, client certificates or --insecure', () => {
    const open = `${files} --listen tls:0.0.0.0:1`;
    assert.match(
      faultsOf(open)[0] ?? '',
      /tls:0\.0\.0\.0:1 can be reached.*--token-file FILE.*--tls-client-ca FILE.*--insecure/,
    );
    for (const way of [
      '--token-file t',
      '--insecure',
      '--tls-client-ca a --tls-client-scopes CN=*=read',
    ]) {
      assert.deepEqual(faultsOf(`${open} ${way}`), [], way);
    }
    // A client certificate protects no plain listener.
    const both = `${open},0.0.0.0:2 --tls-client-ca a --tls-client-scopes CN=*=read`;
    assert.match(faultsOf(both)[0] ?? '', /--listen: 0\.0\.0\.0:2 can be reached/);
    assert.deepEqual(faultsOf('--listen 127.0.0.1:1,admin:0.0.0.0:2'), []);
  });

  it('warn of tokens on a plain listener beyond loopback only', () => {
    const warningsOf = (words: string) => interpret(`${words} --token-file t`).warnings;
    assert.deepEqual(warningsOf(`${files} --listen tls:0.0.0.0:1,admin:0.0.0.0:2`), []);
    const [warning] = warningsOf(`${files} --listen tls:0.0.0.0:1,0.0.0.0:2`);
    assert.match(warning ?? '', /unencrypted to 0\.0\.0\.0:2; encrypt them with --listen tls:/);
  });

  it('are read and written with their prefix, and only for addresses with ports', () => {
    const interpreted = interpret(`${tls},admin:[::1]:2,127.0.0.1:3`);
    assert('config' in interpreted);
    const { listen } = interpreted.config;
    assert.deepEqual(listen, [
      { host: '127.0.0.1', port: 1, scheme: 'tls' },
      { host: '::1', port: 2, scheme: 'admin' },
      { host: '127.0.0.1', port: 3 },
    ]);
    assert.deepEqual(workerPlaces(interpreted.config), [listen[0], listen[2]]);
    for (const [word, expected] of [
      ['tls:8443', /has no address; write tls:127\.0\.0\.1:8443/],
      ['admin:', /has no address; write admin:127\.0\.0\.1:/],
      ['tls:unix:/a', /a socket file always serves plain HTTP/],
      ['tls:admin:127.0.0.1:1', /two prefixes/],
      ['tls:127.0.0.1:65536', /no port from 0 to 65535/],
      ['tls:*:1', /names no address/],
    ] as const) {
      assert.match(faultsOf(`--listen ${word}`)[0] ?? '', expected, word);
    }
  });
});

describe('the scopes of client certificates', () => {
  const kind = clientScopes();
  it('are rules that read back as they are written', () => {
    const text = 'CN=a=b c=read,write;CN=*=admin';
    const reading = kind.read(text);
    assert('value' in reading);
    assert.deepEqual(reading.value, [
      { name: 'a=b c', scopes: ['read', 'write'] },
      { name: '*', scopes: ['admin'] },
    ]);
    assert.equal(kind.write(reading.value), text);
    assert.deepEqual(kind.read('CN=a=read, read'), { value: [{ name: 'a', scopes: ['read'] }] });
  });

  it('have names of 1 to 64 characters, known scopes, and each name once', () => {
    assert('value' in kind.read(`CN=${'n'.repeat(64)}=read`));
    for (const [text, expected] of [
      [`CN=${'n'.repeat(65)}=read`, /1 to 64 characters/],
      ['CN==read', /1 to 64 characters/],
      ['CN=a\u0001=read', /1 to 64 characters/],
      ['CN=a', /is no rule/],
      ['O=a=read', /is no rule/],
      ['a=read', /is no rule/],
      ['CN=a=', /unknown scope/],
      ['CN=a=read,all', /unknown scope/],
      ['CN=a=read;', /is no rule/],
      ['CN=a=read;CN=a=write', /names CN=a twice/],
    ] as const) {
      const reading = kind.read(text);
      assert('fault' in reading, text);
      assert.match(reading.fault, expected);
    }
  });

  it(`are at most ${MAX_CLIENT_RULES} rules`, () => {
    const rules = (count: number) =>
      Array.from({ length: count }, (_, at) => `CN=n${at}=read`).join(';');
    assert('value' in kind.read(rules(MAX_CLIENT_RULES)));
    assert('fault' in kind.read(rules(MAX_CLIENT_RULES + 1)));
  });
});

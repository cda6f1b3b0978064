import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Config, interpretConfig } from '../../../src/config/config.ts';
import { nearest, parseCommandLine } from '../../../src/config/flags.ts';
import { helpText } from '../../../src/config/help.ts';
import { formatBytes, gibibyte, kibibyte, mebibyte, tebibyte } from '../../../src/config/kinds.ts';
import { flagOf, settingNames, table, variableOf } from '../../../src/config/table.ts';
import { isLoopback } from '../../../src/engine-config/host-text.ts';

function interpret(argv: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return interpretConfig(parseCommandLine(argv), env);
}

function configOf(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Config {
  const interpreted = interpret(argv, env);
  assert('config' in interpreted, JSON.stringify(interpreted));
  return interpreted.config;
}

function faultsOf(argv: readonly string[], env: NodeJS.ProcessEnv = {}): readonly string[] {
  const interpreted = interpret(argv, env);
  return 'faults' in interpreted ? interpreted.faults : [];
}

function onlyFault(argv: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const faults = faultsOf(argv, env);
  assert.equal(faults.length, 1, JSON.stringify(faults));
  return faults[0] ?? '';
}

describe('the configuration', () => {
  it('has a default for everything, and serves only this machine', () => {
    const config = configOf([]);
    assert.equal(config.port, 8080);
    assert.equal(config.host, '127.0.0.1');
    assert.equal(config.engine, 'embedded');
    assert.equal(config.enginePreload, undefined);
    assert.equal(config.arenaBytes, gibibyte);
    assert.equal(config.maxObjectBytes, 256 * mebibyte);
    assert.equal(config.unsizedBytes, 64 * mebibyte);
    assert.equal(config.callSlots, 16);
    assert.equal(config.slowReadMs, 1500);
    assert.equal(config.staleReadMs, 0);
    assert.equal(config.fastLane, true);
    assert.deepEqual(Object.keys(config).sort(), [...settingNames].sort());
    assert(Object.isFrozen(config));
  });

  it('prefers a flag to a variable to the default, and reports the origin', () => {
    const env = { GATEWAY_PORT: '9000', GATEWAY_DEVICES: '3' };
    const interpreted = interpret(['--port', '9001'], env);
    assert('config' in interpreted);
    assert.equal(interpreted.config.port, 9001);
    assert.deepEqual(interpreted.config.devices, [3]);
    assert.deepEqual([...interpreted.origins].sort(), [
      ['devices', 'GATEWAY_DEVICES'],
      ['port', '--port'],
    ]);
  });

  it('treats an empty variable as absent', () => {
    assert.equal(configOf([], { GATEWAY_PORT: '' }).port, 8080);
  });

  it('reports all faults at once, each with its correction', () => {
    const faults = faultsOf(
      ['--prot', '5', '--port', 'x', '--arena-bytes', '1MB', '--devices', '-1', '--deadline-ms'],
      { GATEWAY_FAST_LANE: 'perhaps', GATEWAY_HOST: '0.0.0.0' },
    );
    assert.equal(faults.length, 7, JSON.stringify(faults, undefined, 1));
    const all = faults.join('\n');
    assert.match(all, /unknown flag --prot; did you mean --port\?/);
    assert.match(all, /--port: "x" is not a whole number; give one from 0 to 65535/);
    assert.match(all, /--arena-bytes: "1MB" is ambiguous .*; write 1MiB/);
    assert.match(all, /--devices: "-1" is no list of devices/);
    assert.match(all, /--deadline-ms needs a value: --deadline-ms MS/);
    assert.match(all, /GATEWAY_FAST_LANE: "perhaps" is neither on nor off/);
    assert.match(all, /GATEWAY_HOST: 0\.0\.0\.0 can be reached from other machines/);
  });

  it('does not check the limits of a value that could not be parsed', () => {
    assert.equal(faultsOf(['--arena-bytes', 'much', '--max-object-bytes', '2GiB']).length, 1);
  });

  for (const name of settingNames) {
    it(`parses its own output for ${flagOf(name)}`, () => {
      const { fallback, kind } = table[name];
      const written = (kind as { write(value: unknown): string }).write(fallback);
      if (written === '') return;
      assert.deepEqual(kind.read(written), { value: fallback });
    });
  }
});

describe('numbers', () => {
  const limits: [string, number, number][] = [
    ['--port', 0, 65_535],
    ['--call-slots', 1, 30],
    ['--deadline-ms', 10, 3_600_000],
    ['--init-deadline-ms', 10, 3_600_000],
    ['--arena-wait-ms', 0, 600_000],
    ['--idle-timeout-ms', 10, 3_600_000],
    ['--keep-alive-ms', 10, 3_600_000],
    ['--degraded-limit-ms', 0, 86_400_000],
    ['--drain-delay-ms', 0, 3_600_000],
    ['--drain-ms', 0, 3_600_000],
    ['--heartbeat-ms', 0, 3_600_000],
    ['--slow-read-ms', 1, 3_600_000],
    ['--slow-request-ms', 0, 3_600_000],
    ['--stale-read-ms', 0, 60_000],
  ];
  for (const [flag, min, max] of limits) {
    it(`of ${flag} are accepted at both limits and refused one beyond them`, () => {
      assert.deepEqual(faultsOf([flag, String(min)]), []);
      assert.deepEqual(faultsOf([flag, String(max)]), []);
      assert.match(onlyFault([flag, String(min - 1)]), /out of range/);
      assert.match(onlyFault([flag, String(max + 1)]), /out of range/);
    });
  }

  it('are refused if they are invalid', () => {
    for (const text of ['', ' ', 'x', '1e3', '0x10', '1.5', '٣', '1_000', 'NaN', 'Infinity']) {
      assert.match(onlyFault(['--port', text]), /not a whole number/, text);
    }
  });
});

describe('sizes', () => {
  it('are bytes, or have a unit that is a power of 1024', () => {
    const sizes: [string, number][] = [
      ['1048576', mebibyte],
      ['1024k', mebibyte],
      ['1m', mebibyte],
      ['512MiB', 512 * mebibyte],
      ['1GiB', gibibyte],
      ['1.5GiB', 1.5 * gibibyte],
      ['2 GiB', 2 * gibibyte],
      ['1t', tebibyte],
      ['1048577b', mebibyte + 1],
    ];
    for (const [text, bytes] of sizes) {
      assert.equal(configOf(['--arena-bytes', text]).arenaBytes, bytes, text);
    }
  });

  it('are refused one beyond their limits, and if they are invalid', () => {
    assert.match(onlyFault(['--arena-bytes', '1048575']), /give 1MiB to 1TiB/);
    assert.match(onlyFault(['--arena-bytes', '1099511627777']), /give 1MiB to 1TiB/);
    assert.match(
      onlyFault(['--arena-bytes', '8GiB', '--max-object-bytes', '4294967297']),
      /give 1 to 4GiB/,
    );
    assert.deepEqual(faultsOf(['--batch-json-bytes', '64MiB']), []);
    assert.match(onlyFault(['--batch-json-bytes', '67108865']), /give 64KiB to 64MiB/);
    for (const rate of ['1KiB', '1TiB'])
      assert.deepEqual(faultsOf(['--slow-rate-bytes', rate]), []);
    for (const rate of ['0', '1023', '1099511627777']) {
      assert.match(onlyFault(['--slow-rate-bytes', rate]), /give 1KiB to 1TiB/);
    }
    for (const text of ['', 'much', '-1', '1q', '1 GiB GiB', '1.5', 'GiB', '1,5g']) {
      assert.equal(faultsOf(['--arena-bytes', text]).length, 1, text);
    }
  });

  it('in MB are refused, with the intended spelling', () => {
    assert.match(onlyFault(['--arena-bytes', '512MB']), /write 512MiB/);
    assert.match(onlyFault(['--arena-bytes', '2gb']), /write 2GiB/);
  });

  it('are written in the shortest exact form', () => {
    assert.equal(formatBytes(64 * kibibyte), '64KiB');
    assert.equal(formatBytes(1536 * mebibyte), '1536MiB');
    assert.equal(formatBytes(1025), '1025');
    assert.equal(formatBytes(0), '0');
  });
});

describe('switches', () => {
  it('may have no value, have a word, or be negated', () => {
    assert.equal(configOf(['--access-log']).accessLog, true);
    assert.equal(configOf(['--access-log', '--port', '1']).accessLog, true);
    assert.equal(configOf(['--fast-lane', 'off']).fastLane, false);
    assert.equal(configOf(['--fast-lane=off']).fastLane, false);
    assert.equal(configOf(['--no-fast-lane']).fastLane, false);
    assert.equal(configOf([], { GATEWAY_FAST_LANE: 'off' }).fastLane, false);
    assert.equal(configOf([], { GATEWAY_ACCESS_LOG: '1' }).accessLog, true);
  });

  it('do not use the next argument as their value', () => {
    assert.match(onlyFault(['--access-log', 'perhaps']), /"perhaps" is not a flag/);
    assert.match(onlyFault(['--no-fast-lane=off']), /--no-fast-lane takes no value/);
    assert.match(onlyFault(['--no-port']), /unknown flag --no-port/);
  });
});

describe('lists', () => {
  it('accept commas and repeated flags', () => {
    const { allowHost } = configOf(['--allow-host', 'a.example,b', '--allow-host=c.example']);
    assert.deepEqual(allowHost, ['a.example', 'b', 'c.example']);
    assert.deepEqual(configOf(['--devices', '5,0-1', '--devices', '3']).devices, [0, 1, 3, 5]);
    assert.equal(configOf(['--layout', 'a=1', '--layout', 'b=2;c=3']).layout.length, 3);
  });

  it('have each device and each name of a layout once, over all flags', () => {
    const devices = ['--devices', '0-3', '--devices', '2'];
    assert.equal(onlyFault(devices), '--devices: names device 2 twice; give each once');
    assert.match(onlyFault(['--devices', '0-63', '--devices', '64']), /names 65 devices; give at/);
    const twice = 'names layout a twice; give each name once';
    assert.equal(onlyFault(['--layout', 'a=1', '--layout', 'a=2']), `--layout: ${twice}`);
    assert.equal(onlyFault([], { GATEWAY_LAYOUT: 'a=1;b=2;a=1' }), `GATEWAY_LAYOUT: ${twice}`);
  });

  it('check each entry', () => {
    assert.match(onlyFault(['--allow-host', 'a,,b']), /empty entry/);
    assert.match(onlyFault(['--allow-host', 'http://a']), /not a host name/);
    assert.match(onlyFault(['--allow-host', '*.example']), /without scheme, port or wildcard/);
    assert.match(onlyFault(['--allow-origin', 'console']), /such as https:\/\/console\.example/);
    assert.match(
      onlyFault(['--allow-origin', 'https://a.example/x']),
      /alone: https:\/\/a\.example$/,
    );
    const origins = 'https://a.example,http://b:8080,https://*.a.example:444,http://*.localhost:1';
    assert.deepEqual(faultsOf(['--allow-origin', origins]), []);
    for (const wide of ['https://*.com', 'https://*.example', 'https://*.com:443']) {
      assert.match(onlyFault(['--allow-origin', wide]), /every site below a top-level domain/);
    }
    for (const wrong of ['*', 'https://*', 'https://a.*.example.com', '*.example.com']) {
      assert.match(onlyFault(['--allow-origin', wrong]), /is not an origin/);
    }
  });
});

describe('rules between settings', () => {
  it('require a limit of several heartbeats, or none', () => {
    assert.match(onlyFault(['--heartbeat-ms', '1999']), /^--heartbeat-ms: .*at least 2000, or 0/);
    assert.deepEqual(faultsOf(['--heartbeat-ms', '2000']), []);
  });

  it('keep an object inside the arena, also at the limit', () => {
    assert.deepEqual(faultsOf(['--arena-bytes', '64m', '--max-object-bytes', '64m']), []);
    assert.match(
      onlyFault(['--arena-bytes', '64m', '--max-object-bytes', '67108865']),
      /does not fit into the arena of 64MiB/,
    );
  });

  it('reduce default limits', () => {
    const config = configOf(['--arena-bytes', '4m']);
    assert.equal(config.maxObjectBytes, 4 * mebibyte);
    assert.equal(config.unsizedBytes, 4 * mebibyte);
  });

  it('limit a body without length to the largest object', () => {
    assert.deepEqual(faultsOf(['--max-object-bytes', '1m', '--unsized-bytes', '1m']), []);
    assert.match(
      onlyFault(['--max-object-bytes', '1m', '--unsized-bytes', '1048577']),
      /more than the largest object, 1MiB/,
    );
  });

  it('refuse huge objects on the distributed engine unless the operator allows them', () => {
    const real = ['--engine', '/opt/libmf_memcache.so'];
    assert.deepEqual(faultsOf([...real, '--max-object-bytes', '499MiB']), []);
    const huge = ['--max-object-bytes', String(499 * mebibyte + 1)];
    assert.match(onlyFault([...real, ...huge]), /give at most 499MiB, or insist/);
    assert.deepEqual(faultsOf([...real, ...huge, '--allow-huge-objects']), []);
    assert.deepEqual(faultsOf(huge), []);
  });

  it('refuse to serve other machines unless the operator allows it', () => {
    for (const host of ['0.0.0.0', '::', '[::]', '192.0.2.1', 'gateway.example']) {
      assert.match(onlyFault(['--host', host]), /without tokens .* --insecure/, host);
      assert.deepEqual(faultsOf(['--host', host, '--insecure']), []);
      assert.deepEqual(faultsOf(['--host', host], { GATEWAY_INSECURE: '1' }), []);
    }
  });

  it('serve other machines with tokens, and warn that there is no TLS', () => {
    const warningsOf = (argv: readonly string[]) => {
      const interpreted = interpret(argv, {});
      assert('warnings' in interpreted);
      return interpreted.warnings.join();
    };
    for (const words of [
      ['--host', '0.0.0.0'],
      ['--listen', '127.0.0.1:1,10.0.0.1:1'],
    ]) {
      assert.match(onlyFault(words), /--token-file FILE .* --insecure/);
      assert.deepEqual(faultsOf([...words, '--token-file', 't']), []);
      assert.match(warningsOf([...words, '--token-file', 't']), /unencrypted to .*0\.0/);
      assert.equal(warningsOf([...words, '--insecure']), '');
    }
    assert.equal(warningsOf(['--token-file', 't']), '');
    assert.equal(warningsOf(['--token-file', 't', '--listen', 'unix:/g.sock,[::1]:1']), '');
  });

  it('protect only what exists, and only with tokens', () => {
    assert.match(
      onlyFault(['--protect', 'metrics']),
      /give --token-file or --tls-client-ca as well/,
    );
    assert.match(onlyFault(['--token-file', 't', '--protect', 'v1']), /give some of metrics, docs/);
    const config = configOf(['--token-file', 't', '--protect', 'docs', '--protect', 'metrics']);
    assert.deepEqual(config.protect, ['docs', 'metrics']);
  });

  it('know which addresses are local to this machine', () => {
    for (const host of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1', 'LOCALHOST']) {
      assert.equal(isLoopback(host), true, host);
    }
    for (const host of ['128.0.0.1', '::2', '::ffff:10.0.0.1', 'localhost.example', '0.0.0.0']) {
      assert.equal(isLoopback(host), false, host);
    }
    assert.equal(configOf(['--host', '[::1]']).host, '::1');
  });
});

describe('mistakes', () => {
  it('are reported with the nearest spelling', () => {
    assert.match(onlyFault(['--arena-byte', '1m']), /did you mean --arena-bytes\?/);
    assert.match(onlyFault(['--Port=1']), /did you mean --port\?/);
    assert.match(onlyFault(['--frobnicate']), /--help lists them/);
    assert.match(onlyFault(['serve']), /"serve" is not a flag/);
    assert.equal(nearest('--hlep', ['--help', '--host']), '--help');
    assert.equal(nearest('--zzzzzz', ['--help', '--host']), undefined);
  });

  it('in a variable are a warning, because others may use the prefix', () => {
    const interpreted = interpret([], { GATEWAY_PROT: '1', GATEWAY_SERVICE_HOST: '10.0.0.1' });
    assert('warnings' in interpreted);
    assert.deepEqual(interpreted.warnings, [
      'GATEWAY_PROT is no setting and was ignored; did you mean GATEWAY_PORT?',
    ]);
  });

  it('of Kubernetes are explained', () => {
    const fault = onlyFault([], { GATEWAY_PORT: 'tcp://10.0.0.1:8080' });
    assert.match(fault, /enableServiceLinks: false/);
  });
});

describe('the help', () => {
  const help = helpText();

  it('names every flag, variable and default', () => {
    for (const name of settingNames) {
      const flag = flagOf(name);
      const shown = table[name].fallback === true ? flag.replace('--', '--no-') : flag;
      assert(help.includes(`  ${shown}`), name);
      assert(help.includes(variableOf(name)), name);
    }
    assert.match(help, /\(default 8080\)/);
  });

  it('is at most 80 columns wide, and shows how to turn off what is on by default', () => {
    const lines = help.split('\n');
    assert.deepEqual(
      lines.filter((line) => line.length > 80),
      [],
    );
    assert.ok(lines.some((line) => /^ {2}--no-coalescing +GATEWAY_COALESCING$/.test(line)));
    assert.ok(lines.some((line) => /^ {2}--access-log +GATEWAY_ACCESS_LOG$/.test(line)));
  });

  it('overrides everything else on the command line', () => {
    assert.equal(parseCommandLine(['--nonsense', '--check-config', '-h']).command, 'help');
    assert.equal(parseCommandLine(['--help', '--check-config']).command, 'help');
    assert.equal(parseCommandLine(['--version']).command, 'version');
    assert.equal(parseCommandLine(['--check-config', '--port', '1']).command, 'check-config');
  });
});

describe('the name of a pool', () => {
  it('has 1 to 200 characters that a file name may have, and is not that of a private pool', () => {
    for (const name of ['a', 'k'.repeat(200), 'kv_1.2-x']) {
      assert.equal(configOf(['--pool-name', name]).poolName, name);
    }
    for (const name of ['.a', 'a/b', 'k'.repeat(201), 'a b', 'ä']) {
      assert.match(
        onlyFault(['--pool-name', name]),
        /^--pool-name: is no name of a pool; give 1 to/,
      );
    }
    assert.match(onlyFault(['--pool-name', 'mcg-0-x']), /begins with mcg-/);
  });
});

describe('the address of the meta service', () => {
  it('is that of an HTTP server, without a path, a user or a query', () => {
    for (const url of ['http://127.0.0.1:8000', 'http://[::1]:8000', 'https://meta.example']) {
      assert.equal(configOf(['--meta-url', url]).metaUrl, url);
      assert.equal(configOf(['--meta-url', `${url}/`]).metaUrl, url);
    }
    assert.equal(configOf([]).metaUrl, undefined);
    const wrong = [
      '127.0.0.1:8000',
      'ftp://a',
      'http://',
      'http://a/b',
      'http://u:p@a',
      'http://a?b',
    ];
    for (const url of wrong) {
      assert.match(
        onlyFault(['--meta-url', url]),
        /^--meta-url: is no address of an HTTP server; /,
      );
    }
  });
});

describe('a fault in a list', () => {
  it('is reported for each word', () => {
    const faults = faultsOf(['--listen', 'a,127.0.0.1:1', '--listen', 'b']);
    assert.equal(faults.length, 2);
    assert.match(String(faults[0]), /^--listen: "a" is no address/);
    assert.match(String(faults[1]), /^--listen: "b" is no address/);
  });
});

describe('a flag', () => {
  it('that is no list is refused when it is given twice', () => {
    assert.equal(
      onlyFault(['--port', '1', '--port', '1']),
      '--port: is given twice; write it once',
    );
    assert.equal(
      onlyFault(['--coalescing', '--no-coalescing']),
      '--no-coalescing: is given twice, before as --coalescing; write it once',
    );
    assert.deepEqual(configOf(['--devices', '1', '--devices', '2']).devices, [1, 2]);
  });
});

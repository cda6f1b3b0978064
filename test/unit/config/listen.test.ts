import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { interpretConfig } from '../../../src/config/config.ts';
import { parseCommandLine } from '../../../src/config/flags.ts';
import { type ListenAddress, listenAddresses, socketFileMode } from '../../../src/config/listen.ts';

const kind = listenAddresses();

const placesOf = (text: string): readonly ListenAddress[] => {
  const reading = kind.read(text);
  assert('value' in reading, JSON.stringify(reading));
  return reading.value;
};

const faultOf = (text: string): string => {
  const reading = kind.read(text);
  assert('fault' in reading, `${text} was taken for ${JSON.stringify(reading)}`);
  return reading.fault;
};

const interpret = (argv: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  interpretConfig(parseCommandLine(argv), env);

const faultsOf = (argv: readonly string[], env: NodeJS.ProcessEnv = {}): readonly string[] => {
  const interpreted = interpret(argv, env);
  return 'faults' in interpreted ? interpreted.faults : [];
};

function onlyFault(argv: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const faults = faultsOf(argv, env);
  assert.equal(faults.length, 1, JSON.stringify(faults));
  return faults[0] ?? '';
}

describe('a listen address', () => {
  const places: [string, ListenAddress][] = [
    ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }],
    ['[::1]:8080', { host: '::1', port: 8080 }],
    ['[fe80::1]:1', { host: 'fe80::1', port: 1 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['gateway.example:65535', { host: 'gateway.example', port: 65_535 }],
    ['unix:/run/gateway.sock', { path: '/run/gateway.sock' }],
  ];
  for (const [text, place] of places) {
    it(`may be ${text}, which is written as it is read`, () => {
      assert.deepEqual(placesOf(text), [place]);
      assert.equal(kind.write([place]), text);
    });
  }

  it('may be one of several, separated by commas', () => {
    const text = '127.0.0.1:8080,[::1]:8080,unix:/run/a';
    assert.equal(placesOf(text).length, 3);
    assert.equal(kind.write(placesOf(text)), text);
  });

  it('has the shortest form of its path, so that a duplicate is found', () => {
    assert.deepEqual(placesOf('unix:/run/./x/..//gateway.sock'), [{ path: '/run/gateway.sock' }]);
  });

  it('has a path that a socket can have', () => {
    assert.equal(placesOf(`unix:/${'x'.repeat(99)}`).length, 1);
    assert.match(faultOf(`unix:/${'x'.repeat(100)}`), /longer than the 100 bytes/);
    assert.match(faultOf(`unix:/${'ü'.repeat(50)}`), /longer than the 100 bytes/);
  });

  const malformed: [string, RegExp][] = [
    ['', /empty entry/],
    ['127.0.0.1:1,', /empty entry/],
    ['8080', /has no address; write 127\.0\.0\.1:8080$/],
    [':8080', /write 127\.0\.0\.1:8080 for this machine alone, or 0\.0\.0\.0:8080/],
    ['*:8080', /write 127\.0\.0\.1:8080 for this machine alone, or 0\.0\.0\.0:8080/],
    ['127.0.0.1', /is no address with a port; write 127\.0\.0\.1:8080, /],
    ['localhost', /is no address with a port/],
    ['localhost:', /has no port from 0 to 65535/],
    ['localhost:http', /has no port from 0 to 65535/],
    ['localhost:-1', /has no port from 0 to 65535/],
    ['localhost:65536', /has no port from 0 to 65535/],
    ['localhost:8080:1', /is no address with a port/],
    ['::1', /no brackets around the address; write \[::1\]:8080/],
    ['::1:8080', /no brackets around the address; write \[::1\]:8080/],
    ['[::1]', /has no port, or no brackets/],
    ['[::1]8080', /is no address with a port/],
    ['[127.0.0.1]:8080', /"\[127\.0\.0\.1\]" is neither an address nor a name/],
    ['[]:8080', /is neither an address nor a name/],
    ['256.0.0.1:8080', /"256\.0\.0\.1" is neither an address nor a name/],
    ['127.1:8080', /"127\.1" is neither an address nor a name/],
    ['[fe80::1%eth0]:1', /"fe80::1%eth0" has a zone, which a URL cannot contain/],
    ['0x100000000:1', /"0x100000000" is neither an address nor a name/],
    ['a b:8080', /is neither an address nor a name/],
    ['-a:8080', /is neither an address nor a name/],
    ['http://127.0.0.1:8080', /is a URL; remove the scheme/],
    ['tcp://127.0.0.1:8080', /is a URL; remove the scheme/],
    ['127.0.0.1:8080/', /is no address/],
    ['/run/gateway.sock', /a socket file is written unix:\/run\/gateway\.sock/],
    ['UNIX:/run/gateway.sock', /a socket file is written unix:\/run\/gateway\.sock/],
    ['unix:', /has no absolute path/],
    ['unix:gateway.sock', /has no absolute path/],
    ['unix:@gateway', /has no absolute path/],
    ['unix://run/gateway.sock', /has no absolute path; .* one slash first/],
    ['unix:///run/gateway.sock', /has no absolute path; .* one slash first/],
    ['unix:/', /names a directory/],
    ['unix:/run/', /names a directory/],
    ['unix:/run/..', /names a directory/],
    ['unix:/run/a\0b', /control characters/],
    ['local\nhost:1', /control characters/],
  ];
  for (const [text, fault] of malformed) {
    it(`must not be ${JSON.stringify(text)}, and the fault says what to write`, () => {
      assert.match(faultOf(text), fault);
    });
  }
});

describe('--listen', () => {
  it('accepts commas and repeated flags, in order', () => {
    const interpreted = interpret(['--listen', 'localhost:1,[::1]:2', '--listen=unix:/run/a']);
    assert('config' in interpreted);
    assert.equal(kind.write(interpreted.config.listen), 'localhost:1,[::1]:2,unix:/run/a');
  });

  it('cannot be combined with its short form, from any origin', () => {
    assert.match(
      onlyFault(['--listen', 'localhost:1', '--port', '8080']),
      /^--listen: given together with --port, the short form for a single place/,
    );
    assert.match(
      onlyFault(['--port', '1'], { GATEWAY_LISTEN: 'localhost:1', GATEWAY_HOST: '::1' }),
      /^GATEWAY_LISTEN: given together with GATEWAY_HOST and --port/,
    );
    assert.deepEqual(faultsOf(['--listen', 'localhost:1'], { GATEWAY_PORT: '' }), []);
  });

  it('needs --insecure for addresses that other machines can reach, anywhere in the list', () => {
    const places = ['--listen', '127.0.0.1:1,0.0.0.0:2,[::]:3,gateway.example:4,unix:/run/a'];
    assert.match(
      onlyFault(places),
      /^--listen: 0\.0\.0\.0:2 and \[::\]:3 and gateway\.example:4 can be reached from other machines/,
    );
    assert.deepEqual(faultsOf([...places, '--insecure']), []);
    const local = ['--listen', '127.0.0.1:1,[::1]:2,localhost:3,unix:/run/a'];
    assert.deepEqual(faultsOf(local), []);
  });

  it('contains no address twice, except free ports', () => {
    assert.match(
      onlyFault(['--listen', 'localhost:1,unix:/run/a', '--listen', 'LOCALHOST:1,unix:/run//a']),
      /localhost:1, unix:\/run\/a is given more than once/,
    );
    assert.match(
      onlyFault(['--listen', '[::1]:1,[0:0::1]:1,127.0.0.1:1,[::ffff:127.0.0.1]:1']),
      /^--listen: \[::1\]:1, 127\.0\.0\.1:1 is given more than once$/,
    );
    assert.match(
      onlyFault(['--insecure', '--listen', '0.0.0.0:1,[::]:1,127.0.0.1:1,[::1]:1']),
      /127\.0\.0\.1:1 is a part of 0\.0\.0\.0:1, \[::1\]:1 is a part of \[::\]:1; remove one/,
    );
    assert.deepEqual(faultsOf(['--listen', 'unix:/run/a,unix:/run/A,localhost:1,[::1]:1']), []);
    assert.deepEqual(faultsOf(['--insecure', '--listen', '[::]:1,127.0.0.1:1']), []);
    assert.deepEqual(faultsOf(['--listen', 'localhost:0,localhost:0']), []);
  });
});

describe('--host', () => {
  it('is an address or a name that a URL can contain', () => {
    assert.match(
      onlyFault(['--host', '256.1.1.1']),
      /^--host: "256\.1\.1\.1" is neither an address/,
    );
    assert.match(onlyFault(['--host', '::1%lo']), /^--host: "::1%lo" has a zone/);
    assert.deepEqual(faultsOf(['--host', '[::1]']), []);
  });
});

describe('the mode of socket files', () => {
  const mode = socketFileMode();

  it('is read in octal and written with a leading 0', () => {
    for (const text of ['660', '0660', '0o660']) {
      assert.deepEqual(mode.read(text), { value: 0o660 }, text);
    }
    assert.equal(mode.write(0o600), '0600');
    assert.equal(mode.write(0o020), '0020');
  });

  it('is refused if it is invalid, or lets no user connect', () => {
    for (const text of ['', '66', '1777', '0888', 'rw-rw----', '0x1b0', ' 660', '-660']) {
      const reading = mode.read(text);
      assert.match('fault' in reading ? reading.fault : '', /is no mode; give three octal/, text);
    }
    const reading = mode.read('0444');
    assert.match('fault' in reading ? reading.fault : '', /lets no client connect/);
  });
});

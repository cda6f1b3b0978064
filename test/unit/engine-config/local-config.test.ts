import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { EngineFileError, type EngineFileFault } from '../../../src/engine-config/engine-file.ts';
import {
  newerKeyLines,
  parseLocalConfig,
  readLocalConfig,
} from '../../../src/engine-config/local-config.ts';

const gibibyte = 2 ** 30;
const tebibyte = 2 ** 40;
const service = 'ock.mmc.local_service';

const parse = (...lines: string[]) => parseLocalConfig('/etc/mmc-local.conf', lines.join('\n'));

function faultsOf(action: () => unknown): readonly EngineFileFault[] {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof EngineFileError);
    return error.faults;
  }
  return [];
}

/** The only fault of these lines, as [line number, the change]. */
function faultOf(...lines: string[]): [number, string] {
  const [fault, ...more] = faultsOf(() => parse(...lines));
  assert.ok(fault);
  assert.deepEqual(more, []);
  assert.equal(fault.text, fault.line === 0 ? '' : lines[fault.line - 1]?.trim());
  return [fault.line, fault.change];
}

describe('a valid configuration file of the engine', () => {
  it('that is empty means the shipped defaults: 256 clients of at most 64 GB', () => {
    assert.deepEqual(parse('# nothing', '', '   '), {
      path: '/etc/mmc-local.conf',
      worldSize: 256,
      dramBytes: 64 * gibibyte,
      hbmBytes: 0,
      reserveBytes: 16 * tebibyte,
      warnings: [],
    });
  });

  it('gives the address space that init maps: world_size × the largest DRAM and HBM', () => {
    const config = parse(
      `  ${service}.world_size=8\r`,
      `${service}.dram.size = 1GB\r`,
      `${service}.max.dram.size\t=\t2G\r`,
      `${service}.hbm.size = 512MB`,
      `${service}.max.hbm.size = 1gb`,
      'ock.mmc.meta_service_url = tcp://10.0.0.1:5000',
      'ock.mmc.tls.decrypter.path =',
    );
    assert.equal(config.worldSize, 8);
    assert.equal(config.dramBytes, 2 * gibibyte);
    assert.equal(config.hbmBytes, gibibyte);
    assert.equal(config.reserveBytes, 24 * gibibyte);
    assert.deepEqual(config.warnings, []);
  });

  const sizes: [string, number][] = [
    ['134217728', 2 ** 27],
    ['2048KB', 2 ** 21],
    ['2048k', 2 ** 21],
    ['200mb', 200 * 2 ** 20],
    ['64GB', 64 * gibibyte],
    ['2.5G', 2.5 * gibibyte],
    ['1tb', tebibyte],
  ];
  for (const [text, bytes] of sizes) {
    it(`may give ${text} for ${bytes} bytes`, () => {
      const lines = [`${service}.world_size = 2`, `${service}.dram.size = 2MB`];
      assert.equal(parse(...lines, `${service}.max.dram.size = ${text}`).dramBytes, bytes);
    });
  }

  it('has its sizes rounded up like in the engine: to 2 MiB, with an NPU protocol to 1 GiB', () => {
    const size = `${service}.max.dram.size = 1GB`;
    const odd = `${service}.max.dram.size = 1073741825`;
    assert.equal(parse(size).dramBytes, gibibyte);
    assert.equal(parse(odd).dramBytes, gibibyte + 2 ** 21);
    assert.equal(parse(odd, `${service}.protocol = device_sdma`).dramBytes, 2 * gibibyte);
  });

  it('may contribute only HBM', () => {
    const config = parse(
      `${service}.world_size = 2`,
      `${service}.dram.size = 0`,
      `${service}.max.dram.size = 0`,
      `${service}.hbm.size = 1GB`,
      `${service}.max.hbm.size = 1GB`,
    );
    assert.deepEqual([config.dramBytes, config.reserveBytes], [0, 2 * gibibyte]);
  });

  it('reserves for a larger own size if the version has no maximum, with a warning', () => {
    const config = parse(`${service}.world_size = 4`, `${service}.dram.size = 100GB`);
    assert.equal(config.reserveBytes, 400 * gibibyte);
    assert.match(config.warnings.join(), /:2: .*1\.1.*max\.dram\.size = 100GB/);
  });

  it('may have unknown keys and lines without effect: they cause a warning with the intended key', () => {
    const { warnings } = parse(
      'ock.mmc.local_service.wrold_size = 8',
      'ock.mmc.something.new = 1',
      'ubsio.disk.path = /dev/nvme0n1',
      'some words',
      'ock.mmc.client.aggregate.io = true',
    );
    assert.equal(warnings.length, 4);
    assert.match(warnings[0] ?? '', /conf:1: .*did you mean ock\.mmc\.local_service\.world_size\?/);
    assert.match(
      warnings[1] ?? '',
      /conf:2: ock\.mmc\.something\.new is not a documented key[^?]*$/,
    );
    assert.match(warnings[2] ?? '', /conf:4: the engine ignores .*some words/);
    assert.match(warnings[3] ?? '', /conf:5: .*aggregate\.io = false/);
  });
});

describe('the keys of each version', () => {
  it('cause no warning, and keys that some versions do not know are listed with their first version', () => {
    const lines = [
      'ock.mmc.meta_service_url = tcp://10.0.0.1:5000',
      'ock.mmc.client.aggregate.num = 64',
      `${service}.max.dram.size = 1GB`,
      'ubsio.disk.path = /dev/nvme0n1',
      'ock.mmc.client.timeout.seconds = 60',
      `${service}.storage.enabled = true`,
      `${service}.dram.best_effort.enabled = true`,
      'ock.mmc.client.batch_option.chunk.size = 8MB',
      'ock.mmc.dynamic_config.interval = 10',
    ];
    assert.deepEqual(parse(...lines).warnings, []);
    const folder = mkdtempSync(path.join(tmpdir(), 'mcg-key-versions-'));
    const file = path.join(folder, 'mmc-local.conf');
    writeFileSync(
      file,
      [...lines, `${service}.memory.pool.mode = 1`, 'no.such.key = 1'].join('\n'),
    );
    assert.deepEqual(newerKeyLines(file), [
      `${file}:2: ock.mmc.client.aggregate.num (version 1.1 and newer)`,
      `${file}:3: ${service}.max.dram.size (version 1.1 and newer)`,
      `${file}:5: ock.mmc.client.timeout.seconds (version 1.2 and newer)`,
      `${file}:6: ${service}.storage.enabled (version 1.2 and newer)`,
      `${file}:7: ${service}.dram.best_effort.enabled (version 1.2 and newer)`,
      `${file}:8: ock.mmc.client.batch_option.chunk.size (version 1.2 and newer)`,
      `${file}:9: ock.mmc.dynamic_config.interval (version 1.2 and newer)`,
      `${file}:10: ${service}.memory.pool.mode (early builds of 1.1 only)`,
    ]);
    rmSync(folder, { recursive: true });
    for (const absent of [file, undefined, '', 'none']) assert.deepEqual(newerKeyLines(absent), []);
  });

  it('include none of early builds of 1.1: such a key causes a warning', () => {
    const { warnings } = parse(`${service}.memory.pool.mode = 1`);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', /conf:1: init fails .*memory\.pool\.mode .*remove the line/);
  });

  it('name the protocols of all versions; an unknown one causes a warning', () => {
    for (const protocol of ['host_tcp', 'device_rdma', 'host_urma', 'device_uboe', 'host_shm']) {
      assert.deepEqual(parse(`${service}.protocol = ${protocol}`).warnings, []);
    }
    const { warnings } = parse(`${service}.protocol = pigeon`);
    assert.match(
      warnings.join(),
      /conf:1: 'pigeon' is not a known protocol \(host_rdma, .*device_uboe/,
    );
  });

  it('allow a client that contributes nothing on a protocol of 1.2; on others with a warning', () => {
    const nothing = [`${service}.dram.size = 0`, `${service}.hbm.size = 0MB`];
    const urma = `${service}.protocol = host_urma`;
    assert.deepEqual(parse(...nothing, urma).warnings, []);
    for (const protocol of [[], [`${service}.protocol = host_tcp`]]) {
      const { warnings } = parse(...nothing, ...protocol);
      assert.equal(warnings.length, 1);
      assert.match(
        warnings[0] ?? '',
        /conf:1: .*neither DRAM nor HBM .*1\.2 only.*dram\.size = 1GB/,
      );
    }
    const none = [`${service}.max.dram.size = 0`, `${service}.max.hbm.size = 0`];
    assert.equal(parse(...nothing, ...none, urma).reserveBytes, 0);
  });
});

describe('a faulty configuration file of the engine', () => {
  const worldSizes: [string, string][] = [
    ['1', '2'],
    ['0', '2'],
    ['1025', '1024'],
    ['-3', '256'],
    ['2.5', '256'],
    ['0x10', '256'],
    ['many', '256'],
    ['', '256'],
    ['8 # nodes', '256'],
  ];
  for (const [value, better] of worldSizes) {
    it(`has the world_size ${JSON.stringify(value)}, to be changed to ${better}`, () => {
      const lines = ['# first', `${service}.world_size = ${value}`];
      assert.deepEqual(faultOf(...lines), [2, `${service}.world_size = ${better}`]);
    });
  }

  it("has a line without '=', to be changed to a valid one", () => {
    const key = `${service}.world_size`;
    for (const [line, better] of [
      [`${key} 1`, `${key} = 2`],
      [`${key} 8`, `${key} = 8`],
      [key, `${key} = 256`],
      [`\uFEFF${key} = 1`, `${key} = 2`],
    ] as const) {
      assert.deepEqual(faultOf(line), [1, better]);
      assert.deepEqual(parse(`${service}.max.dram.size = 1GB`, better).warnings, []);
    }
    const [fault] = faultsOf(() => parse(`${key} 1`));
    assert.match(fault?.problem ?? '', /^the '=' is missing; the engine crashes with/);
    assert.deepEqual(faultOf(`${key} = 8`, `${key} 8`), [2, `# ${key} 8`]);
  });

  it('has no fault at the limits of world_size', () => {
    const small = `${service}.max.dram.size = 1GB`;
    assert.equal(parse(small, `${service}.world_size = 2`).worldSize, 2);
    assert.equal(parse(small, `${service}.world_size = 1024`).worldSize, 1024);
  });

  it('has fewer places than this gateway starts clients, one for each device', () => {
    const worldOf = (clients: number, ...lines: string[]) =>
      faultsOf(() => parseLocalConfig('/etc/mmc-local.conf', lines.join('\n'), clients));
    const small = `${service}.max.dram.size = 1GB`;
    const [fault, ...more] = worldOf(8, small, `${service}.world_size = 7`);
    assert.deepEqual([fault?.line, fault?.change], [2, `${service}.world_size = 8`]);
    assert.match(fault?.problem ?? '', /world_size of 7 is too small for the 8 clients/);
    assert.deepEqual(more, []);
    assert.deepEqual(worldOf(8, small, `${service}.world_size = 8`), []);
    assert.equal(worldOf(8, `${service}.world_size = 1`)[0]?.change, `${service}.world_size = 8`);
    assert.equal(worldOf(8, `${service}.world_size = x`)[0]?.change, `${service}.world_size = 256`);
    // The default is 256.
    assert.deepEqual(worldOf(256, small), []);
    const [absent] = worldOf(300, small);
    assert.deepEqual(
      [absent?.line, absent?.change],
      [0, `add the line: ${service}.world_size = 300`],
    );
  });

  const badSizes: [string, string][] = [
    ['', '1GB'],
    ['lots', '1GB'],
    ['64 GB', '64GB'],
    ['64GiB', '64GB'],
    ['64GB # of 512', '64GB'],
    ['-1GB', '1GB'],
    ['1PB', '1GB'],
    ['1.1TB', '1TB'],
    ['1099511627777', '1TB'],
    ['9'.repeat(400), '1TB'],
  ];
  for (const [value, better] of badSizes) {
    it(`has the size ${JSON.stringify(value.slice(0, 20))}, to be changed to ${better}`, () => {
      const lines = [`${service}.world_size = 2`, `${service}.max.hbm.size = ${value}`];
      assert.deepEqual(faultOf(...lines), [2, `${service}.max.hbm.size = ${better}`]);
    });
  }

  it('has a maximum below the size itself', () => {
    assert.deepEqual(faultOf(`${service}.dram.size = 3GB`, `${service}.max.dram.size = 2GB`), [
      2,
      `${service}.max.dram.size = 3GB`,
    ]);
  });

  it('has a client of host_shm that contributes no DRAM, or that contributes HBM', () => {
    const shm = `${service}.protocol = host_shm`;
    assert.deepEqual(faultOf(shm, `${service}.dram.size = 0`), [2, `${service}.dram.size = 1GB`]);
    const hbm = [`${service}.hbm.size = 1GB`, `${service}.max.hbm.size = 1GB`];
    const small = [`${service}.world_size = 2`, `${service}.max.dram.size = 1GB`];
    assert.deepEqual(faultOf(shm, ...hbm, ...small), [2, `${service}.hbm.size = 0`]);
    assert.deepEqual(parse(shm, `${service}.dram.size = 2MB`, ...small).warnings, []);
  });

  for (const [value, better] of [
    ['host-tcp', 'host_tcp'],
    ['HOST_RDMA', 'host_rdma'],
    ['device_rmda', 'device_rdma'],
    ['', 'host_tcp'],
  ] as const) {
    it(`has the misspelt protocol "${value}", to be changed to ${better}`, () => {
      const change = `${service}.protocol = ${better}`;
      assert.deepEqual(faultOf(`${service}.protocol = ${value}`), [1, change]);
    });
  }

  const numbers: [key: string, min: number, max: number, usual: number][] = [
    ['ock.mmc.client.timeout.seconds', 1, 600, 60],
    ['ock.mmc.client.retry_milliseconds', 0, 600_000, 0],
    ['ock.mmc.client.read_thread_pool.size', 1, 64, 4],
    ['ock.mmc.client.write_thread_pool.size', 1, 64, 4],
    ['ock.mmc.client.aggregate.num', 1, 131_072, 122],
    ['ock.mmc.client.batch_option.chunk.count', 1, 64, 3],
  ];
  for (const [key, min, max, usual] of numbers) {
    it(`has a ${key} outside ${min} to ${max}, or that is no number`, () => {
      for (const value of [min, max]) assert.deepEqual(parse(`${key} = ${value}`).warnings, []);
      assert.deepEqual(faultOf(`${key} = ${max + 1}`), [1, `${key} = ${max}`]);
      if (min > 0) assert.deepEqual(faultOf(`${key} = ${min - 1}`), [1, `${key} = ${min}`]);
      for (const value of ['-1', '1.5', 'many', '']) {
        assert.deepEqual(faultOf(`${key} = ${value}`), [1, `${key} = ${usual}`]);
      }
    });
  }

  it('needs more address space than there is, by one client', () => {
    const sizes = [`${service}.dram.size = 1GB`, `${service}.max.dram.size = 1TB`];
    assert.equal(parse(...sizes, `${service}.world_size = 45`).reserveBytes, 45 * tebibyte);
    assert.deepEqual(faultOf(...sizes, `${service}.world_size = 46`), [
      2,
      `${service}.max.dram.size = 1001GB`,
    ]);
  });

  it('needs more address space than there is, and its own size forbids a smaller maximum', () => {
    const sizes = [`${service}.dram.size = 1TB`, `${service}.max.dram.size = 1TB`];
    assert.deepEqual(faultOf(...sizes, `${service}.world_size = 46`), [
      3,
      `${service}.world_size = 45`,
    ]);
    const [line, change] = faultOf(`${service}.max.hbm.size = 1TB`);
    assert.deepEqual([line, change], [0, `add the line: ${service}.world_size = 42`]);
    parse(`${service}.max.hbm.size = 1TB`, `${service}.world_size = 42`);
  });

  it('has a key twice', () => {
    const lines = [`${service}.world_size = 4`, '', `${service}.world_size = 8`];
    assert.deepEqual(faultOf(...lines), [3, `# ${service}.world_size = 8`]);
  });

  it('has a setting without its equals sign, or without its key', () => {
    assert.deepEqual(faultOf(`${service}.world_size 4`), [1, `${service}.world_size = 4`]);
    assert.deepEqual(faultOf('= 4'), [1, '# = 4']);
  });

  it('begins with a byte order mark, which no editor shows', () => {
    assert.deepEqual(faultOf(`\uFEFF${service}.world_size = 4`), [1, `${service}.world_size = 4`]);
    assert.deepEqual(faultOf('\uFEFF# first'), [1, '# first']);
  });

  it('has a line of more than 4096 bytes', () => {
    const comment = `ubsio.disk.path = ${'é'.repeat(2039)}`;
    assert.equal(Buffer.byteLength(comment), 4096);
    parse(comment);
    const [fault] = faultsOf(() => parse('', `${comment}!`));
    assert.equal(fault?.line, 2);
    assert.ok(fault.text.length < 100);
  });

  it('is reported completely: every fault with its line, in the order of the lines', () => {
    const error = (() => {
      try {
        return parse(
          `${service}.max.hbm.size = big`,
          `${service}.world_size = 1`,
          'ock.mmc.log_level = info',
          'ock.mmc.log_level = error',
          `${service}.dram.size =`,
        );
      } catch (thrown) {
        return thrown;
      }
    })();
    assert.ok(error instanceof EngineFileError);
    assert.deepEqual(
      error.faults.map(({ line }) => line),
      [1, 2, 4, 5],
    );
    assert.match(
      error.message,
      new RegExp(
        [
          '/etc/mmc-local\\.conf:2: the engine crashes with a world_size below 2',
          ' +line: +ock\\.mmc\\.local_service\\.world_size = 1',
          ' +change to: ock\\.mmc\\.local_service\\.world_size = 2',
        ].join('\n'),
      ),
    );
  });
});

describe('reading the configuration file of the engine', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'mcg-local-config-'));
  const file = path.join(folder, 'mmc-local.conf');
  after(() => rmSync(folder, { recursive: true }));

  const problemOf = (name: string | undefined) => {
    const [fault, ...more] = faultsOf(() => readLocalConfig(name));
    assert.deepEqual(more, []);
    return `${fault?.file} ${fault?.problem}`;
  };

  it('reads the named file', () => {
    writeFileSync(file, `${service}.world_size = 16\n`);
    assert.equal(readLocalConfig(file)?.worldSize, 16);
    assert.equal(readLocalConfig(file)?.path, file);
  });

  it('accepts none for a library that reads no file', () => {
    assert.equal(readLocalConfig('none'), undefined);
    assert.equal(problemOf('NONE'), 'NONE does not exist');
  });

  it('says what to set if no file is named', () => {
    assert.match(problemOf(undefined), /^MMC_LOCAL_CONFIG_PATH is not set/);
    assert.match(problemOf(''), /^MMC_LOCAL_CONFIG_PATH is not set/);
  });

  it('reports a file that does not exist, that is a folder, a pipe or a device', () => {
    execFileSync('mkfifo', [path.join(folder, 'pipe')]);
    assert.equal(problemOf(path.join(folder, 'absent')), `${folder}/absent does not exist`);
    assert.equal(problemOf(path.join(file, 'below')), `${file}/below does not exist`);
    assert.equal(problemOf(folder), `${folder} is a directory`);
    assert.equal(problemOf(path.join(folder, 'pipe')), `${folder}/pipe is not a regular file`);
    assert.equal(problemOf('/dev/zero'), '/dev/zero is not a regular file');
  });

  it('reports a file without read permission', () => {
    writeFileSync(file, '');
    chmodSync(file, 0);
    chmodSync(folder, 0o755);
    const root = process.geteuid?.() === 0;
    if (root) process.seteuid?.(65534);
    try {
      assert.equal(problemOf(file), `${file} cannot be read by this user`);
    } finally {
      if (root) process.seteuid?.(0);
      chmodSync(file, 0o600);
    }
  });

  it('refuses a file of more than 10 MiB, and accepts one of exactly that size', () => {
    writeFileSync(file, `#${' '.repeat(9)}`.repeat(2 ** 20));
    assert.equal(readLocalConfig(file)?.worldSize, 256);
    truncateSync(file, 10 * 2 ** 20 + 1);
    assert.equal(problemOf(file), `${file} is longer than 10 MiB`);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EngineFileError, type EngineFileFault } from '../../../src/engine-config/engine-file.ts';
import { parseMetaConfig, readMetaConfig } from '../../../src/engine-config/meta-config.ts';

const service = 'ock.mmc.meta_service_url';
const store = 'ock.mmc.meta_service.config_store_url';
const metrics = 'ock.mmc.meta_service.metrics_url';

const parse = (...lines: string[]) => parseMetaConfig('/etc/mmc-meta.conf', lines.join('\n'));

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
  return [fault.line, fault.change];
}

describe('a valid configuration file of the meta service', () => {
  it('that is empty means the shipped addresses', () => {
    assert.deepEqual(parse('# nothing', ''), {
      path: '/etc/mmc-meta.conf',
      serviceUrl: 'tcp://127.0.0.1:5000',
      healthUrl: 'http://127.0.0.1:8000/health',
      warnings: [],
    });
  });

  const healths: [string, string][] = [
    ['http://10.0.0.7:9000', 'http://10.0.0.7:9000/health'],
    ['http://meta.example:9000/', 'http://meta.example:9000/health'],
    ['10.0.0.7:9000', 'http://10.0.0.7:9000/health'],
    ['http://0.0.0.0:9000', 'http://127.0.0.1:9000/health'],
    ['http://[::]:9000', 'http://[::1]:9000/health'],
    ['https://10.0.0.7:9000', 'https://10.0.0.7:9000/health'],
  ];
  for (const [value, url] of healths) {
    it(`has its health at ${url} if metrics_url is ${value}`, () => {
      assert.equal(parse(`${metrics} = ${value}`).healthUrl, url);
    });
  }

  it('may have the same port on different addresses', () => {
    parse(`${service} = tcp://10.0.0.7:5000`, `${store} = tcp://10.0.0.8:5000`);
  });

  it('may have the keys of every version', () => {
    const lines = [
      'ock.mmc.ubs_io.enable = true',
      'ock.mmc.meta.backup.enable = true',
      'ock.mmc.meta.lease_ttl_ms = 30000',
      'ock.mmc.rewarm.dram_watermark = 80',
      'ock.mmc.storage.prefetch.enabled = true',
      'ock.mmc.kv_events.enable = true',
      'ock.mmc.kv_events.hash_as_int = true',
      'ock.mmc.metrics.tls.enable = true',
    ];
    assert.deepEqual(parse(...lines).warnings, []);
  });

  it('causes warnings for probable mistakes', () => {
    const { warnings } = parse(
      'ock.mmc.evict_threshold_hihg = 90',
      'ock.mmc.evict_threshold_high = 70',
      'ock.mmc.evict_threshold_low = 70',
    );
    assert.equal(warnings.length, 2);
    assert.match(
      warnings[0] ?? '',
      /^\/etc\/mmc-meta\.conf:1: .*does not start with a key it does not know; did you mean ock\.mmc\.evict_threshold_high\?$/,
    );
    assert.match(warnings[1] ?? '', /^\/etc\/mmc-meta\.conf:3: .*nothing is evicted$/);
  });
});

describe('a fault in the configuration file of the meta service', () => {
  const lines: [line: string, change: string][] = [
    [`${service} = 127.0.0.1:5000`, `${service} = tcp://127.0.0.1:5000`],
    [`${service} = http://127.0.0.1:5000`, `${service} = tcp://127.0.0.1:5000`],
    [`${service} = tcp://127.0.0.1`, `${service} = tcp://127.0.0.1:5000`],
    [`${service} =`, `${service} = tcp://127.0.0.1:5000`],
    [`${service} = tcp://10.0.0.7:80`, `${service} = tcp://10.0.0.7:5000`],
    [`${store} = tcp://10.0.0.7:65536`, `${store} = tcp://10.0.0.7:6000`],
    [`${metrics} = http://256.1.1.1:8001`, `${metrics} = http://127.0.0.1:8001`],
    [`${metrics} = http://[1:2]:8000`, `${metrics} = http://127.0.0.1:8000`],
    [`${metrics} = http://0x100000000:80`, `${metrics} = http://127.0.0.1:8000`],
    [`${service} = tcp://256.1.1.1:5000`, `${service} = tcp://127.0.0.1:5000`],
    [`${store} = tcp://-a:6001`, `${store} = tcp://127.0.0.1:6001`],
    [`${store} = tcp://[0::0]:5000`, `${store} = tcp://[0::0]:5001`],
    [`${metrics} = ftp://127.0.0.1:8000`, `${metrics} = http://127.0.0.1:8000`],
    [`${store} = tcp://0.0.0.0:5000`, `${store} = tcp://0.0.0.0:5001`],
    [`${service} = tcp://127.0.0.1:8000`, `${service} = tcp://127.0.0.1:8001`],
    ['ock.mmc.evict_threshold_high = 101', 'ock.mmc.evict_threshold_high = 100'],
    ['ock.mmc.evict_threshold_low = 80%', 'ock.mmc.evict_threshold_low = 80'],
    ['ock.mmc.log_rotation_file_count = 0', 'ock.mmc.log_rotation_file_count = 1'],
    ['ock.mmc.log_level = INFO', 'ock.mmc.log_level = info'],
    ['ock.mmc.log_level = chatty', 'ock.mmc.log_level = info'],
    ['ock.mmc.meta.ha.enable = yes', 'ock.mmc.meta.ha.enable = false'],
    ['ock.mmc.meta.lease_ttl_ms = 0', 'ock.mmc.meta.lease_ttl_ms = 1'],
    ['ock.mmc.meta.lease_ttl_ms = 2s', 'ock.mmc.meta.lease_ttl_ms = 2000'],
    [`${service} tcp://10.0.0.7:5000`, `${service} = tcp://10.0.0.7:5000`],
  ];
  for (const [line, change] of lines) {
    it(`such as "${line}" is reported with its line and the change to "${change}"`, () => {
      assert.deepEqual(faultOf('# first', line), [2, change]);
    });
  }

  it('is reported with all others, in the order of the lines', () => {
    const faults = faultsOf(() =>
      parse(`${metrics} = here`, 'ock.mmc.evict_threshold_low = x', `${service} = there`),
    );
    assert.deepEqual(
      faults.map(({ line }) => line),
      [1, 2, 3],
    );
  });

  it('may be a missing file, or a missing variable', () => {
    const [unset] = faultsOf(() => readMetaConfig(undefined));
    assert.match(`${unset?.file} ${unset?.problem}`, /^MMC_META_CONFIG_PATH is not set/);
    assert.equal(unset?.change, 'set MMC_META_CONFIG_PATH=/path/to/mmc-meta.conf');
    const [absent] = faultsOf(() => readMetaConfig('/nowhere/mmc-meta.conf'));
    assert.equal(absent?.problem, 'does not exist');
    assert.match(absent?.change ?? '', /correct MMC_META_CONFIG_PATH/);
    const [folder] = faultsOf(() => readMetaConfig('/'));
    assert.equal(folder?.problem, 'is a directory');
  });
});

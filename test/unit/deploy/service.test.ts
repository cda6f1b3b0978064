/** The unit of systemd, as systemd-analyze sees it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { parseSettings } from '../../../src/config/settings-file.ts';
import { root } from '../../helpers/process/packed.ts';

const folder = path.join(root, 'deploy/systemd');
const unit = readFileSync(path.join(folder, 'memcache-gateway.service'), 'utf8');
const settings = readFileSync(path.join(folder, 'gateway.conf'));

/** Of 10; a unit without hardening has more than 9. */
const EXPOSURE = 2;

/** Runs `systemd-analyze` on the unit, with a program that exists here; undefined without the command. */
function analyze(...args: string[]): string | undefined {
  if (spawnSync('systemd-analyze', ['--version']).error !== undefined) return undefined;
  const temporary = mkdtempSync(path.join(tmpdir(), 'unit-'));
  const file = path.join(temporary, 'memcache-gateway.service');
  try {
    writeFileSync(file, unit.replace('/usr/bin/node', process.execPath));
    const { stdout, stderr, status } = spawnSync('systemd-analyze', [...args, file], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, `${stdout}${stderr}`);
    return `${stdout}${stderr}`;
  } finally {
    rmSync(temporary, { recursive: true });
  }
}

const absent = 'no systemd-analyze: Debian has it in the package systemd';

describe('the unit of systemd', () => {
  it('has no fault', (t) => {
    const output = analyze('verify', '--man=no');
    if (output === undefined) return t.skip(absent);
    assert.equal(output, '');
  });

  it('exposes little of the host', (t) => {
    const output = analyze('security', '--offline=yes', '--no-pager');
    if (output === undefined) return t.skip(absent);
    const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(output) ?? [];
    assert.ok(Number(exposure) <= EXPOSURE, `${exposure}`);
  });

  it('lets V8 write code into memory', () => {
    assert.doesNotMatch(unit, /^MemoryDenyWriteExecute/m);
  });

  it('has more time to stop than the settings need, and names their file', () => {
    const { given, faults } = parseSettings('gateway.conf', settings);
    assert.deepEqual(faults, []);
    const ms = ['drainDelayMs', 'drainMs'] as const;
    const [delay = 0, drain = 0] = ms.map((name) => Number(given.get(name)?.texts[0]));
    const stopMs = 1000 * Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
    assert.ok(stopMs >= delay + drain + 10_000);
    assert.match(unit, /^ExecStart=.* --settings-file \/etc\/memcache-gateway\/gateway\.conf$/m);
  });

  it('starts the program of the package', () => {
    const [, program = ''] = /^ExecStart=\S+ \/opt\/memcache-gateway\/(\S+)/m.exec(unit) ?? [];
    const { bin } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      bin: Record<string, string>;
    };
    assert.equal(`./${program}`, bin['memcache-gateway']);
  });
});

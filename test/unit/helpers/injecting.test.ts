import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { before, describe, it, type TestContext } from 'node:test';
import { setTimeout as elapse } from 'node:timers/promises';
import { hasSymbol, intFunction } from '../../../src/native/abi/abi.ts';
import { loadLibrary } from '../../../src/os/libc.ts';
import { type EngineProcess, startEngine } from '../../helpers/engine/engine-process.ts';
import { untouched } from '../../helpers/engine/engine-structs.ts';
import {
  createInjection,
  dataFunctions,
  type Injection,
  injectingLibrary,
  type Rule,
  ruleLine,
  unusablePool,
} from '../../helpers/engine/injecting.ts';
import { lowestOf } from '../../helpers/process/lowest.ts';
import { until } from '../../helpers/process/until.ts';

const value = Buffer.from('the quick brown fox');
const inverted = Buffer.from(value.map((byte) => ~byte));

let library: string;
before(async () => {
  library = await injectingLibrary();
});

/** An initialised client of the injecting library, ended after the test. */
async function start(
  context: TestContext,
  rules: readonly Rule[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<{ client: EngineProcess; injection: Injection }> {
  const injection = createInjection(rules);
  const client = await startEngine(library, {
    MMC_EMBEDDED_BYTES: String(8 * 2 ** 20),
    ...injection.env,
    ...env,
  });
  context.after(async () => {
    await client.kill();
    injection.dispose();
  });
  return { client, injection };
}

describe('the injecting library without rules', () => {
  it('passes every call on, and counts calls and keys', async (context) => {
    const { client, injection } = await start(context);
    const { engine } = client;
    assert.equal(await engine.setLogLevel(3), 0);
    assert.equal(await engine.get('a', 5).then(({ code }) => code), -3019);
    assert.equal(await engine.init(), 0);
    assert.equal((await engine.localServiceId()).code, 0);
    assert.equal(await engine.register(0, 4096), 0);
    assert.equal(await engine.unregister(0, 4096), 0);
    assert.equal(await engine.put('a', value), 0);
    assert.deepEqual(await engine.get('a', value.length), { code: 0, bytes: value });
    assert.equal((await engine.query('a')).info.size, value.length);
    assert.equal(await engine.exist('a'), 0);
    assert.equal(await engine.remove('a'), 0);
    assert.deepEqual(await engine.batchPut(['b', 'c'], [value, inverted]), {
      code: 0,
      results: [0, 0],
    });
    assert.deepEqual(await engine.batchGet(['c', 'b'], [value.length, value.length]), {
      code: 0,
      results: [0, 0],
      bytes: [inverted, value],
    });
    assert.deepEqual(await engine.batchExist(['b', 'x']), { code: 0, results: [0, -3102] });
    assert.equal((await engine.batchQuery(['b', 'x'])).infos[0]?.size, value.length);
    assert.deepEqual(await engine.batchRemove(['b', 'c']), { code: 0, results: [0, 0] });
    assert.equal(await engine.uninit(), 0);
    assert.deepEqual(await client.exit(), { code: 0, signal: null });

    const once = { started: 1, returned: 1, keys: 0, maxInFlight: 1 };
    for (const name of ['init', 'uninit', 'set_log_level', 'register_buffer'] as const) {
      assert.deepEqual(injection.counters(name), once, name);
    }
    for (const name of ['put', 'query', 'exist', 'remove'] as const) {
      assert.deepEqual(injection.counters(name), { ...once, keys: 1 }, name);
    }
    for (const name of dataFunctions.filter((name) => name.startsWith('batch'))) {
      assert.deepEqual(injection.counters(name), { ...once, keys: 2 }, name);
    }
    assert.deepEqual(injection.counters('*'), {
      started: 17,
      returned: 17,
      keys: 16,
      maxInFlight: 1,
    });
  });

  it('lacks the symbol by which an engine allows synchronous calls', () => {
    assert.equal(hasSymbol(loadLibrary(library), 'mmc_embedded_nonblocking'), false);
    assert.equal(intFunction(loadLibrary(library), 'mcg_injecting')(), 1);
  });
});

describe('a rule of the injecting library', () => {
  it('returns a code instead of the engine, for the selected calls', async (context) => {
    const { client, injection } = await start(context);
    const { engine } = client;
    await engine.init();
    const codes = async (rule: Omit<Rule, 'on' | 'code'>, calls: number) => {
      await injection.set([{ on: 'exist', code: -3004, ...rule }]);
      const answers: number[] = [];
      for (let i = 0; i < calls; i++) answers.push(await engine.exist('k'));
      return answers.map((code) => code === -3004);
    };
    assert.deepEqual(await codes({}, 2), [true, true]);
    assert.deepEqual(await codes({ nth: 2 }, 4), [false, true, false, false]);
    assert.deepEqual(await codes({ first: 2 }, 4), [true, true, false, false]);
    assert.deepEqual(await codes({ after: 2 }, 4), [false, false, true, true]);
    assert.deepEqual(await codes({ every: 2 }, 4), [false, true, false, true]);
    assert.deepEqual(await codes({ prefix: 'k' }, 1), [true]);
    assert.deepEqual(await codes({ prefix: 'key' }, 1), [false]);
    assert.equal(await engine.put('k', value), 0, 'another function is not touched');
  });

  it('prevents a refused put from being stored', async (context) => {
    const { client, injection } = await start(context, [{ on: 'put', code: -3016, first: 1 }]);
    await client.engine.init();
    assert.equal(await client.engine.put('a', value), -3016);
    assert.equal(await client.engine.exist('a'), -3102);
    assert.equal(await client.engine.put('a', value), 0);
    assert.equal(injection.counters('put').started, 2);
  });

  it('returns a code for a whole batch, and leaves its results unchanged', async (context) => {
    const { client } = await start(context, [{ on: 'batch_exist', code: 1 }]);
    await client.engine.init();
    assert.deepEqual(await client.engine.batchExist(['a', 'b']), {
      code: 1,
      results: [0x5a5a5a5a, 0x5a5a5a5a],
    });
  });

  it('returns codes for single items of a batch, and only the others reach the engine', async (context) => {
    const rules: Rule[] = [
      { on: ['batch_put', 'batch_get'], itemCode: -1, prefix: 'bad/' },
      { on: ['batch_exist', 'batch_query', 'batch_remove'], itemCode: -3007, prefix: 'bad/' },
    ];
    const { client } = await start(context, rules);
    const { engine } = client;
    await engine.init();
    const keys = ['bad/1', 'a', 'bad/2', 'b'];
    const values = keys.map((key) => Buffer.from(`value of ${key}`));
    assert.deepEqual((await engine.batchPut(keys, values)).results, [-1, 0, -1, 0]);
    assert.equal(await engine.exist('bad/1'), -3102, 'it was not stored');
    assert.equal(await engine.put('bad/1', value), 0, 'single calls are not touched');

    const lengths = values.map(({ length }) => length);
    const { results, bytes } = await engine.batchGet(keys, lengths);
    assert.deepEqual(results, [-1, 0, -1, 0]);
    assert.deepEqual([bytes[1], bytes[3]], [values[1], values[3]]);
    assert.deepEqual(bytes[0], untouched(lengths[0] ?? 0));
    assert.deepEqual((await engine.batchExist(keys)).results, [-3007, 0, -3007, 0]);
    const { infos } = await engine.batchQuery(keys);
    assert.deepEqual(
      infos.map(({ valid, size }) => (valid ? size : -1)),
      [-1, lengths[1], -1, lengths[3]],
    );
    assert.deepEqual((await engine.batchRemove(keys)).results, [-3007, 0, -3007, 0]);
    assert.equal(await engine.exist('bad/1'), 0, 'it was not removed');
    assert.deepEqual((await engine.batchPut(['bad/1', 'bad/2'], [value, value])).results, [-1, -1]);
  });

  it('causes a success that copies nothing', async (context) => {
    const { client, injection } = await start(context);
    const { engine } = client;
    await engine.init();
    await engine.batchPut(['a', 'b'], [value, value]);
    await injection.set([{ on: '*', noCopy: true, prefix: 'a' }]);
    assert.deepEqual(await engine.get('a', 9), { code: 0, bytes: untouched(9) });
    const { code, results, bytes } = await engine.batchGet(['a', 'b'], [9, value.length]);
    assert.deepEqual(
      { code, results, bytes },
      { code: 0, results: [0, 0], bytes: [untouched(9), value] },
    );
    assert.equal(await engine.put('a2', value), 0);
    assert.deepEqual(await engine.batchPut(['a3', 'c'], [value, value]), {
      code: 0,
      results: [0, 0],
    });
    assert.equal(await engine.remove('a'), 0);
    await injection.clear();
    assert.deepEqual(
      (await engine.batchExist(['a', 'a2', 'a3', 'c'])).results,
      [0, -3102, -3102, 0],
    );
  });

  it('corrupts the bytes of a read', async (context) => {
    const { client, injection } = await start(context);
    const { engine } = client;
    await engine.init();
    await engine.batchPut(['a', 'b'], [value, value]);
    await injection.set([{ on: ['get', 'batch_get'], wrongData: true, prefix: 'a' }]);
    assert.deepEqual(await engine.get('a', value.length), { code: 0, bytes: inverted });
    assert.deepEqual(await engine.get('b', value.length), { code: 0, bytes: value });
    assert.deepEqual(await engine.get('a', 3), { code: -1, bytes: untouched(3) });
    const { results, bytes } = await engine.batchGet(['a', 'b', 'a'], [19, 19, 3]);
    assert.deepEqual(results, [0, 0, -1]);
    assert.deepEqual(bytes, [inverted, value, untouched(3)]);
  });

  it('hangs a call until its line is removed, before or after the engine has done its part', async (context) => {
    const { client, injection } = await start(context);
    const { engine } = client;
    await engine.init();
    const other: Rule = { on: 'remove', code: -3 };
    for (const [key, hang, stored] of [
      ['before', { hang: true }, -3102],
      ['after', { hangAfter: true }, 0],
    ] as const) {
      await injection.set([{ on: 'put', ...hang }]);
      let done = false;
      const put = engine.put(key, value).then((code) => {
        done = true;
        return code;
      });
      await until(async () => (await engine.exist(key)) === stored);
      await injection.set([other, { on: 'put', ...hang }]);
      assert.equal(await engine.remove('x'), -3, 'new rules are obeyed meanwhile');
      assert.equal(done, false, 'a line that stays keeps the call');
      assert.equal(injection.counters('put').started - injection.counters('put').returned, 1);
      await injection.set([other]);
      assert.equal(await put, 0);
      assert.equal(await engine.exist(key), 0);
    }
  });

  it('delays a call after the engine has done its part, by the sum of its rules', async (context) => {
    const { client, injection } = await start(context);
    const { engine } = client;
    await engine.init();
    await injection.set([
      { on: 'put', delayAfterUs: 600_000 },
      { on: 'put', delayAfterUs: 400_000, prefix: 'a' },
    ]);
    const beganMs = performance.now();
    const put = engine.put('a', value);
    await until(async () => (await engine.exist('a')) === 0);
    assert.equal(injection.counters('put').started - injection.counters('put').returned, 1);
    assert.equal(await put, 0);
    assert.ok(performance.now() - beganMs >= 1000);
  });

  it('releases hanging calls when the control file is removed', async (context) => {
    const { client, injection } = await start(context, [{ on: 'exist', hang: true }]);
    await client.engine.init();
    const exist = client.engine.exist('a');
    await until(() => injection.counters('exist').started === 1);
    rmSync(injection.env.MMC_INJECT_FILE);
    assert.equal(await exist, -3102);
  });

  it('crashes the process, before or after the engine has done its part', async (context) => {
    for (const effect of [{ crash: true }, { crashAfter: true }] as const) {
      const { client, injection } = await start(context, [{ on: 'get', nth: 2, ...effect }]);
      await client.engine.init();
      await client.engine.put('a', value);
      assert.equal((await client.engine.get('a', value.length)).code, 0);
      await assert.rejects(client.engine.get('a', value.length), /SIGSEGV/);
      assert.deepEqual(await client.ended, { code: null, signal: 'SIGSEGV' });
      const { started, returned } = injection.counters('get');
      assert.deepEqual([started, returned], [2, 1]);
    }
  });

  it('prints lines on stdout for each call', async (context) => {
    const { client } = await start(context, [
      { on: 'exist', noise: 3, noiseText: 'ERROR; 100% of # it' },
      { on: 'remove', noise: 1 },
    ]);
    await client.engine.init();
    await client.engine.exist('a');
    await client.engine.exist('a');
    await client.engine.remove('a');
    const line = 'ERROR; 100% of # it\n';
    const expected = `${line.repeat(6)}ERROR injected line, function remove\n`;
    await until(() => client.stdout().length >= expected.length);
    assert.equal(client.stdout(), expected);
  });

  it('aborts an exit without uninit, and no other exit', async (context) => {
    const rules: Rule[] = [{ on: 'init', abortAtExit: true }];
    const rude = await start(context, rules);
    await rude.client.engine.init();
    assert.deepEqual(await rude.client.exit(), { code: null, signal: 'SIGABRT' });
    assert.match(rude.client.stderr(), /exit without uninit/);

    const polite = await start(context, rules);
    await polite.client.engine.init();
    await polite.client.engine.uninit();
    assert.deepEqual(await polite.client.exit(), { code: 0, signal: null });

    const idle = await start(context, rules);
    assert.deepEqual(await idle.client.exit(), { code: 0, signal: null });
  });

  it('causes an uninit that hangs', async (context) => {
    const { client, injection } = await start(context, [{ on: 'uninit', hang: true }]);
    await client.engine.init();
    let returned = false;
    const uninit = client.engine.uninit().then(() => {
      returned = true;
    });
    await until(() => injection.counters('uninit').started === 1);
    assert.equal(await client.engine.exist('a'), -3102, 'the engine is still there');
    assert.equal(returned, false);
    await injection.clear();
    await uninit;
    assert.equal(await client.engine.exist('a'), -3019);
  });

  it('causes an init that fails n times, and an unusable pool after it', async (context) => {
    const { client } = await start(context, [
      { on: 'init', code: -1, first: 2, delayOutsideUs: 20_000 },
      ...unusablePool,
    ]);
    const { engine } = client;
    const from = performance.now();
    assert.deepEqual([await engine.init(), await engine.init(), await engine.init()], [-1, -1, 0]);
    assert.ok(performance.now() - from >= 40);
    assert.equal(await engine.put('a', value), -2);
    assert.equal((await engine.get('a', 4)).code, -2);
    assert.equal((await engine.batchPut(['a'], [value])).code, -2);
    assert.equal(await engine.exist('a'), -3102);
  });

  it('continues counting when other lines of the file change, and starts again after its line was removed', async (context) => {
    const counted: Rule = { on: 'exist', code: -7, first: 2 };
    const { client, injection } = await start(context, [counted]);
    const { engine } = client;
    await engine.init();
    assert.equal(await engine.exist('a'), -7);
    await injection.set([{ on: 'remove', code: -8 }, counted]);
    assert.deepEqual([await engine.exist('a'), await engine.exist('a')], [-7, -3102]);
    await injection.clear();
    assert.equal(await engine.exist('a'), -3102);
    await injection.set([counted]);
    assert.equal(await engine.exist('a'), -7);
  });

  it('may be in the environment; of two results the first line counts, the environment first', async (context) => {
    const env = {
      MMC_INJECT: ' get  code=-4 ; # a comment\n\tput code=-5 # another; exist code=-6',
    };
    const { client } = await start(context, [{ on: ['get', 'remove'], code: -9 }], env);
    const { engine } = client;
    await engine.init();
    assert.equal((await engine.get('a', 4)).code, -4);
    assert.equal(await engine.put('a', value), -5);
    assert.equal(await engine.exist('a'), -6);
    assert.equal(await engine.remove('a'), -9);
  });
});

describe('delays of the injecting library', () => {
  it('let callers wait in parallel outside the lock, one after another inside it', async (context) => {
    const { client, injection } = await start(context);
    const { engine } = client;
    await engine.init();
    const elapsed = async (belowMs: number, rule: Omit<Rule, 'on'>) => {
      await injection.set([{ on: ['exist', 'batch_exist'], ...rule }]);
      return lowestOf(10, belowMs, async () => {
        const from = performance.now();
        const singles = [engine.exist('a'), engine.exist('b')];
        const batches = [engine.batchExist(['a', 'b']), engine.batchExist(['c', 'd'])];
        await Promise.all([...singles, ...batches]);
        return performance.now() - from;
      });
    };
    // All at one time; one after another they take four times as long.
    const outside = await elapsed(400, { delayOutsideUs: 200_000 });
    assert.ok(outside >= 200 && outside < 400, `outside: ${outside}`);
    const inside = await elapsed(480, { delayInsideUs: 60_000 });
    assert.ok(inside >= 240 && inside < 480, `inside: ${inside}`);
    const perKey = await elapsed(480, { perKeyUs: 40_000 });
    assert.ok(perKey >= 240 && perKey < 480, `per key: ${perKey}`);
    const all = { delayOutsideUs: 50_000, delayInsideUs: 30_000, perKeyUs: 20_000 };
    const both = await elapsed(580, all);
    assert.ok(both >= 290 && both < 580, `both: ${both}`);
    const inLanes = await elapsed(600, { delayInsideUs: 150_000, lanes: 2 });
    assert.ok(inLanes >= 300 && inLanes < 600, `in two lanes: ${inLanes}`);
  });

  it('are precise: short ones to a few microseconds, for most calls', async (context) => {
    const { client, injection } = await start(context);
    const { engine } = client;
    await engine.init();
    const median = async (belowUs: number, rule?: Omit<Rule, 'on'>) => {
      await injection.set(rule ? [{ on: 'exist', ...rule }] : []);
      return lowestOf(10, belowUs, async () => {
        const sorted = (await engine.timeExist('a', 301)).sort((a, b) => a - b);
        return sorted[150] ?? Number.NaN;
      });
    };
    // The lowest of ten.
    const bare = await median(0);
    for (const [rule, us, slackUs] of [
      [{ delayOutsideUs: 20.5 }, 20.5, 5],
      [{ delayOutsideUs: 80, delayInsideUs: 40, perKeyUs: 2 }, 122, 10],
      [{ delayInsideUs: 400 }, 400, 150],
    ] as const) {
      const took = await median(us + bare + slackUs, rule);
      assert.ok(took >= us && took <= us + bare + slackUs, `${us} µs took ${took}, bare ${bare}`);
    }
  });
});

describe('invalid rules', () => {
  const load = (env: Record<string, string>) => {
    const result = spawnSync('/bin/true', {
      env: { LD_PRELOAD: library, ...env },
      encoding: 'utf8',
    });
    return { signal: result.signal, stderr: result.stderr };
  };

  const faults: [string, RegExp][] = [
    ['get', /says nothing to do/],
    ['got code=1', /no function is called 'got'/],
    ['get,,put code=1', /no function is called ''/],
    ['x* code=1', /no function is called 'x\*'/],
    ['get code', /code needs a value/],
    ['get code=', /code takes a return code/],
    ['get code=1.5', /code takes a return code/],
    ['get code=2147483648', /code takes a return code/],
    ['get code=-1 code=-2', /code is given twice/],
    ['get codes=-1', /unknown option 'codes'/],
    ['get hang=1', /hang takes no value/],
    ['get code=1 no_copy', /only one of code, item_code and no_copy/],
    ['get item_code=-1', /'get' cannot do all of this/],
    ['get,uninit code=-1', /'uninit' cannot do all of this/],
    ['put wrong_data', /'put' cannot do all of this/],
    ['get abort_at_exit', /'get' cannot do all of this/],
    ['init code=-1 prefix=a', /'init' cannot do all of this/],
    ['*init item_code=-1', /nothing like '\*init' can do all of this/],
    ['get code=1 nth=1 every=2', /only one of nth, first, after and every/],
    ['get code=1 nth=0', /nth takes a whole number from 1/],
    ['get noise=-1', /noise takes a whole number from 1/],
    ['get noise_text=a hang', /noise_text without noise/],
    ['get lanes=2 hang', /lanes without delay_inside_us and per_key_us/],
    ['get delay_outside_us=1ms', /delay_outside_us takes microseconds/],
    ['get delay_outside_us=0.0005', /delay_outside_us takes microseconds/],
    ['get code=1 prefix=', /prefix is empty or has a wrong %XX/],
    ['get code=1 prefix=%zz', /prefix is empty or has a wrong %XX/],
    ['get code=1 prefix=a%00', /prefix is empty or has a wrong %XX/],
    ['get code=1; get  code=1', /rule 2: the same rule twice/],
    [Array.from({ length: 65 }, (_, i) => `get code=${i}`).join('\n'), /more than 64 rules/],
  ];
  for (const [rules, reason] of faults) {
    it(`end the process at load: ${rules.slice(0, 40)}`, () => {
      const { signal, stderr } = load({ MMC_INJECT: rules });
      assert.equal(signal, 'SIGABRT');
      assert.match(stderr, /^injecting library: MMC_INJECT, rule \d+: /);
      assert.match(stderr, reason);
    });
  }

  it('are none of those that the typed rules can express', () => {
    const everything: Rule = {
      on: dataFunctions,
      delayOutsideUs: 0.5,
      delayInsideUs: 80,
      perKeyUs: 2,
      lanes: 8,
      code: -1,
      hang: true,
      delayAfterUs: 7,
      hangAfter: true,
      crash: true,
      crashAfter: true,
      noise: 2,
      noiseText: "it's 100% of; #\n",
      prefix: 'ключ\t/a b',
      every: 3,
    };
    const rules: Rule[] = [
      everything,
      { on: '*', noCopy: true, nth: 1 },
      { on: ['get', 'batch_get'], wrongData: true, first: 1 },
      { on: 'batch_get', itemCode: -1, after: 1 },
      { on: 'init', abortAtExit: true },
      ...unusablePool,
    ];
    assert.deepEqual(load({ MMC_INJECT: rules.map(ruleLine).join('\n') }), {
      signal: null,
      stderr: '',
    });
  });

  it('end the process if they are added to the control file later', async (context) => {
    const { client, injection } = await start(context);
    await client.engine.init();
    writeFileSync(injection.env.MMC_INJECT_FILE, 'get everything\n');
    await elapse(2); // the maximum age of cached rules
    await assert.rejects(client.engine.exist('a'), /SIGABRT.*rules, rule 1: unknown option/s);
  });

  it('include a control file, target or counters that cannot be opened', () => {
    const folder = path.join(library, '..', 'absent');
    const cases: [Record<string, string>, RegExp][] = [
      [{ MMC_INJECT_FILE: `${folder}/rules` }, /cannot read MMC_INJECT_FILE=.*absent\/rules/],
      [{ MMC_INJECT_COUNTERS: `${folder}/counters` }, /cannot write MMC_INJECT_COUNTERS=/],
      [
        { MMC_INJECT_TARGET: `${folder}/engine.so` },
        /cannot load the engine: .*absent\/engine\.so/,
      ],
      [
        { MMC_INJECT_TARGET: path.join(library, '..', 'libmcg_reserve.so') },
        /libmcg_reserve\.so has no mmc_init/,
      ],
    ];
    for (const [env, reason] of cases) {
      const { signal, stderr } = load(env);
      assert.equal(signal, 'SIGABRT');
      assert.match(stderr, reason);
    }
  });
});

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inAll, walk, walks } from '../../../scripts/walk/walk-requests.mjs';

const script = fileURLToPath(new URL('../../../scripts/walk.mjs', import.meta.url));

const run = (...args: string[]) =>
  spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });

describe('the walk of a request', () => {
  it('counts the calls of each function in a synchronous GET', async () => {
    const called = await walk('get-sync', 2);
    const callsOf = (file: string, name: string) =>
      called.find((each) => each.file === file && each.name === name)?.calls;
    assert.equal(callsOf('src/routes/objects/get-object.ts', 'getObject'), 1);
    assert.equal(callsOf('src/routes/data.ts', 'serveData'), 1);
    const files = new Set(called.map(({ file }) => file));
    // No file of a put, of the start or of the supervisor is included.
    assert.equal(files.has('src/routes/objects/put-object.ts'), false);
    assert.equal(files.has('src/native/start/library.ts'), false);
    assert.ok(![...files].some((file) => file.startsWith('src/supervisor/')));
    assert.ok(called.length > 20 && called.length < 300, `${called.length} functions`);
    assert.ok(called.every(({ line, calls }) => line >= 1 && calls >= 1));
  });

  it('omits a function that is not called in every request', () => {
    const get = { file: 'a.js', offset: 10 };
    const timer = { file: 'a.js', offset: 20 };
    assert.deepEqual(
      inAll([
        [
          { ...get, calls: 3 },
          { ...timer, calls: 1 },
        ],
        [{ ...get, calls: 2 }],
      ]),
      [{ ...get, calls: 2 }],
    );
  });

  it('names its requests in --help, and refuses others', () => {
    const help = run('--help');
    assert.equal(help.status, 0);
    for (const name of Object.keys(walks)) assert.ok(help.stdout.includes(name), name);
    for (const [args, fault] of [
      [['get-never'], 'no walk is named get-never; see --help'],
      [['--times', '0'], '--times: "0" is not a whole number from 1 to 9999'],
    ] as const) {
      const refused = run(...args);
      assert.deepEqual([refused.status, refused.stdout], [2, '']);
      assert.equal(refused.stderr, `walk: ${fault}\n`);
    }
  });
});

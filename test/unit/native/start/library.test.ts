import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EngineLoadError } from '../../../../src/native/abi/errors.ts';
import { loadEngineLibrary, pythonLibraries } from '../../../../src/native/start/library.ts';
import { injectingLibrary } from '../../../helpers/engine/injecting.ts';

const header = fileURLToPath(new URL('../../../../embedded-engine/abi', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'mcg-library-'));
after(() => rmSync(folder, { recursive: true }));

/** Compiles a library from C; returns its path. */
function compile(name: string, source: string): string {
  const output = path.join(folder, name);
  mkdirSync(path.dirname(output), { recursive: true });
  writeFileSync(`${output}.c`, source);
  const compiler = process.env['CC'] ?? 'cc';
  execFileSync(compiler, ['-shared', '-fPIC', '-I', header, '-o', output, `${output}.c`]);
  return output;
}

function loadError(load: () => unknown): EngineLoadError {
  try {
    load();
  } catch (error) {
    assert.ok(error instanceof EngineLoadError, String(error));
    return error;
  }
  throw new Error('it loaded');
}

describe('loadEngineLibrary', () => {
  before(() => injectingLibrary());

  it('loads the embedded engine and detects that it never blocks', () => {
    const library = loadEngineLibrary({ engine: 'embedded' });
    assert.match(library.path, /build\/native\/libmcg_embedded\.so$/);
    assert.equal(library.nonblocking, true);
    assert.equal(library.functions.mmcc_exist(0 as never, 0), -3019, 'it is not initialised');
  });

  it('treats a library without mmc_embedded_nonblocking as one that may block', async () => {
    const library = loadEngineLibrary({ engine: await injectingLibrary() });
    assert.equal(library.nonblocking, false);
  });

  it('says how to correct a wrong path', () => {
    const error = loadError(() => loadEngineLibrary({ engine: '/nowhere/libmf_memcache.so' }));
    assert.match(error.message, /\/nowhere\/libmf_memcache\.so/);
    assert.match(error.advice, /GATEWAY_ENGINE/);
  });

  it('names every symbol that a library lacks', () => {
    const file = compile(
      'partial.so',
      'int mmc_init(void) { return 0; } int mmcc_put(void) { return 0; }',
    );
    const { message } = loadError(() => loadEngineLibrary({ engine: file }));
    for (const name of ['mmc_uninit', 'mmcc_get', 'mmcc_batch_query', 'mmcc_local_service_id']) {
      assert.match(message, new RegExp(`\\b${name}\\b`));
    }
    assert.doesNotMatch(message, /\bmmc_init\b|\bmmcc_put\b/);
  });

  it('reports why the loader refused a file, with advice', () => {
    const file = path.join(folder, 'text.so');
    writeFileSync(file, 'this is no library');
    const error = loadError(() => loadEngineLibrary({ engine: file }));
    assert.match(error.message, /Cannot load the engine .*text\.so: .+/);
    assert.match(error.advice, /^It is no shared library for this machine: point GATEWAY_ENGINE/);
  });

  it('says where the loader looks for libraries that a library needs', () => {
    const engine = compile(
      'needs-other.so',
      'int mcg_other(void); int f(void) { return mcg_other(); }',
    );
    const error = loadError(() => loadEngineLibrary({ engine }));
    assert.match(error.advice, /LD_LIBRARY_PATH/);
  });
});

describe('an engine with undefined Python symbols', () => {
  // New names, so that no libpython of this machine can help.
  const engineSource = (symbol: string) => `
    #include "mmc_abi.h"
    extern int ${symbol}(void);
    int32_t mmc_init(const mmc_init_config *c) { (void)c; return ${symbol}(); }
    void mmc_uninit(void) {}
    int32_t mmc_set_log_level(int l) { return l; }
    int32_t mmcc_register_buffer(uint64_t a, uint64_t s) { return (int32_t)(a + s); }
    int32_t mmcc_unregister_buffer(uint64_t a, uint64_t s) { return (int32_t)(a + s); }
    int32_t mmcc_local_service_id(uint32_t *i) { return i != 0; }
    int32_t mmcc_put(const char *k, mmc_buffer *b, mmc_put_options o, uint32_t f)
      { (void)k; (void)b; (void)o; return (int32_t)f; }
    int32_t mmcc_get(const char *k, mmc_buffer *b, uint32_t f) { (void)k; (void)b; return (int32_t)f; }
    int32_t mmcc_query(const char *k, mmc_data_info *i, uint32_t f) { (void)k; (void)i; return (int32_t)f; }
    int32_t mmcc_exist(const char *k, uint32_t f) { (void)k; return (int32_t)f; }
    int32_t mmcc_remove(const char *k, uint32_t f) { (void)k; return (int32_t)f; }
    int32_t mmcc_batch_put(const char **k, uint32_t n, const mmc_buffer *b, mmc_put_options *o, uint32_t f,
      int32_t *r) { (void)k; (void)n; (void)b; (void)o; (void)r; return (int32_t)f; }
    int32_t mmcc_batch_get(const char **k, uint32_t n, mmc_buffer *b, uint32_t f, int32_t *r)
      { (void)k; (void)n; (void)b; (void)r; return (int32_t)f; }
    int32_t mmcc_batch_query(const char **k, size_t n, mmc_data_info *i, uint32_t f)
      { (void)k; (void)n; (void)i; return (int32_t)f; }
    int32_t mmcc_batch_exist(const char **k, uint32_t n, int32_t *r, uint32_t f)
      { (void)k; (void)n; (void)r; return (int32_t)f; }
    int32_t mmcc_batch_remove(const char **k, uint32_t n, int32_t *r, uint32_t f)
      { (void)k; (void)n; (void)r; return (int32_t)f; }`;

  it('gets the newest libpython that is found, if the first load fails without one', () => {
    const engine = compile('needs-found.so', engineSource('PyMcgFound'));
    compile('old/libpython3.98.so.1.0', 'int PyMcgFound(void) { return 98; }');
    compile('new/libpython3.99.so.1.0', 'int PyMcgFound(void) { return 99; }');
    const saved = process.env['LD_LIBRARY_PATH'];
    process.env['LD_LIBRARY_PATH'] = ['old', 'new']
      .map((name) => path.join(folder, name))
      .join(':');
    try {
      const { functions } = loadEngineLibrary({ engine });
      assert.equal(functions.mmc_init(0 as never), 99);
    } finally {
      if (saved === undefined) delete process.env['LD_LIBRARY_PATH'];
      else process.env['LD_LIBRARY_PATH'] = saved;
    }
  });

  it('gets the named library', () => {
    const engine = compile('needs-named.so', engineSource('PyMcgNamed'));
    const preload = compile('named/libpython-own.so', 'int PyMcgNamed(void) { return 7; }');
    const { functions } = loadEngineLibrary({ engine, preload });
    assert.equal(functions.mmc_init(0 as never), 7);
  });

  it('reports what is missing if no libpython helps', () => {
    const engine = compile('needs-none.so', engineSource('PyMcgNowhere'));
    const error = loadError(() => loadEngineLibrary({ engine }));
    assert.match(error.message, /PyMcgNowhere/);
    assert.match(error.advice, /libpython.*\n.*GATEWAY_ENGINE_PRELOAD/);
  });

  it('reports that the named library cannot be loaded', () => {
    const preload = path.join(folder, 'no-such-libpython.so');
    const error = loadError(() => loadEngineLibrary({ engine: 'embedded', preload }));
    assert.match(error.message, /no-such-libpython\.so/);
    assert.match(error.advice, /GATEWAY_ENGINE_PRELOAD/);
  });
});

describe('pythonLibraries', () => {
  it('finds every libpython3.<N>.so.1.0, newest first by number, and skips missing ones', () => {
    const directory = path.join(folder, 'many');
    mkdirSync(directory);
    for (const name of [
      'libpython3.9.so.1.0',
      'libpython3.12.so.1.0',
      'libpython3.so',
      'libpython3.11.a',
    ]) {
      writeFileSync(path.join(directory, name), '');
    }
    const found = pythonLibraries(['/nowhere', directory, directory]);
    assert.deepEqual(
      found.map((file) => path.basename(file)),
      ['libpython3.12.so.1.0', 'libpython3.9.so.1.0'],
    );
  });
});

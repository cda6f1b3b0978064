/**
 * The environment of a run on an engine whose `mmc_data_info` has 128 bytes. The gateways of the tests
 * inherit it; tests that name another library use this one too.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(fileURLToPath(import.meta.url), '../../..');

/** The library is built by `scripts/build-engine.mjs --fixtures`. */
export const env = {
  GATEWAY_ENGINE: path.join(root, 'build', 'native', 'libmcg_injecting.so'),
  MMC_INJECT_DATA_INFO_BYTES: '128',
  MMC_LOCAL_CONFIG_PATH: 'none',
};

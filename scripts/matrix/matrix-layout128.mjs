/**
 * One run of the test matrix: every HTTP test of the store on an engine whose `mmc_data_info` has 128 bytes. The
 * gateways of the tests inherit the environment; tests that name another library use this one too.
 */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(fileURLToPath(import.meta.url), '../../..');
const folder = path.join('test', 'integration');

/** Built by `scripts/build-engine.mjs --fixtures`. */
export const name = 'mmc_data_info of 128 bytes';
export const env = {
  GATEWAY_ENGINE: path.join(root, 'build', 'native', 'libmcg_injecting.so'),
  MMC_INJECT_DATA_INFO_BYTES: '128',
  MMC_LOCAL_CONFIG_PATH: 'none',
};
/** Relative to the root of the repository. */
export const files = fs
  .readdirSync(path.join(root, folder), { recursive: true })
  .filter((file) => /^http-.*\.test\.ts$/.test(path.basename(file)))
  .sort()
  .map((file) => path.join(folder, file));

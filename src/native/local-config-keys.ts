/**
 * The keys of the engine's configuration file that are documented publicly for some version. Only for
 * hints: versions differ, and to the engine a key it does not know is a failed init (engine.md §1).
 */
import type { KnownKeys } from './engine-file-lines.ts';

export const worldSizeKey = 'ock.mmc.local_service.world_size';
export const protocolKey = 'ock.mmc.local_service.protocol';
export const aggregateKey = 'ock.mmc.client.aggregate.io';

/** What follows each prefix for a connection that may be encrypted. */
export const tlsKeys = [
  'enable',
  'ca.path',
  'ca.crl.path',
  'cert.path',
  'key.path',
  'key.pass.path',
  'package.path',
  'decrypter.path',
];

const names: readonly string[] = [
  'ock.mmc.meta_service_url',
  'ock.mmc.log_level',
  'ock.mmc.log_path',
  'ock.mmc.log_rotation_file_size',
  'ock.mmc.log_rotation_file_count',
  'ock.mmc.log_output_target',
  'ock.mmc.dynamic_config.enable',
  'ock.mmc.ubs_io.enable',
  worldSizeKey,
  protocolKey,
  'ock.mmc.local_service.config_store_url',
  'ock.mmc.local_service.hcom_url',
  'ock.mmc.local_service.backend_id',
  'ock.mmc.local_service.dram.size',
  'ock.mmc.local_service.max.dram.size',
  'ock.mmc.local_service.hbm.size',
  'ock.mmc.local_service.max.hbm.size',
  'ock.mmc.local_service.memory.pool.mode',
  'ock.mmc.local_service.storage.enabled',
  'ock.mmc.client.retry_milliseconds',
  'ock.mmc.client.timeout.seconds',
  'ock.mmc.client.read_thread_pool.size',
  'ock.mmc.client.write_thread_pool.size',
  aggregateKey,
  'ock.mmc.client.aggregate.num',
  ...tlsKeys.map((key) => `ock.mmc.tls.${key}`),
  ...tlsKeys.map((key) => `ock.mmc.config_store.tls.${key}`),
  ...tlsKeys.map((key) => `ock.mmc.local_service.hcom.tls.${key}`),
];

export const localKeys: KnownKeys = {
  names,
  consequence: 'init fails on a key the engine does not know',
  // Those of the engine's storage tier.
  foreignPrefix: 'ubsio.',
};

/**
 * The keys of the engine's configuration file that are documented publicly for some version. Only for
 * hints: versions differ, and to the engine a key it does not know is a failed init (engine.md §1).
 */
import { editDistance } from './edit-distance.ts';

export const worldSizeKey = 'ock.mmc.local_service.world_size';
export const protocolKey = 'ock.mmc.local_service.protocol';
export const aggregateKey = 'ock.mmc.client.aggregate.io';

const tlsKeys = [
  'enable',
  'ca.path',
  'ca.crl.path',
  'cert.path',
  'key.path',
  'key.pass.path',
  'package.path',
  'decrypter.path',
];

const knownKeys: readonly string[] = [
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

/** Keys of the engine's storage tier, which it hands on unread. */
const foreignPrefix = 'ubsio.';

export function isKnownKey(key: string): boolean {
  return key.startsWith(foreignPrefix) || knownKeys.includes(key);
}

/** The known key that a slip of the hand (at most two edits) turns into this one. */
export function nearestKey(key: string): string | undefined {
  return knownKeys.find((known) => editDistance(known, key) <= 2);
}

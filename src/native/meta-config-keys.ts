/** The keys of the meta service's configuration file that are documented publicly for some version. */
import type { KnownKeys } from './engine-file-lines.ts';
import { tlsKeys } from './local-config-keys.ts';

export const serviceUrlKey = 'ock.mmc.meta_service_url';
export const configStoreUrlKey = 'ock.mmc.meta_service.config_store_url';
export const metricsUrlKey = 'ock.mmc.meta_service.metrics_url';
export const evictHighKey = 'ock.mmc.evict_threshold_high';
export const evictLowKey = 'ock.mmc.evict_threshold_low';

const names: readonly string[] = [
  serviceUrlKey,
  configStoreUrlKey,
  metricsUrlKey,
  'ock.mmc.meta_service.metrics_report_interval_seconds',
  'ock.mmc.meta.ha.enable',
  'ock.mmc.meta.ha.meta_rebuild',
  'ock.mmc.meta.backup.enable',
  'ock.mmc.meta.lease_ttl_ms',
  evictHighKey,
  evictLowKey,
  'ock.mmc.evict_check_interval_seconds',
  'ock.mmc.log_level',
  'ock.mmc.log_path',
  'ock.mmc.log_rotation_file_size',
  'ock.mmc.log_rotation_file_count',
  'ock.mmc.log_output_target',
  'ock.mmc.dynamic_config.enable',
  'ock.mmc.ubs_io.enable',
  ...tlsKeys.map((key) => `ock.mmc.tls.${key}`),
  ...tlsKeys.map((key) => `ock.mmc.config_store.tls.${key}`),
  ...tlsKeys.map((key) => `ock.mmc.metrics.tls.${key}`),
];

export const metaKeys: KnownKeys = {
  names,
  consequence: 'the meta service does not start with a key it does not know',
};

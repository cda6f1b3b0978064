/** The publicly documented keys of the meta service's configuration file, with their first versions. */
import { type KeyVersion, type KnownKeys, sinceVersions } from './engine-file-lines.ts';
import { tlsKeys } from './local-config-keys.ts';

export const serviceUrlKey = 'ock.mmc.meta_service_url';
export const configStoreUrlKey = 'ock.mmc.meta_service.config_store_url';
export const metricsUrlKey = 'ock.mmc.meta_service.metrics_url';
export const evictHighKey = 'ock.mmc.evict_threshold_high';
export const evictLowKey = 'ock.mmc.evict_threshold_low';
export const leaseKey = 'ock.mmc.meta.lease_ttl_ms';

const names: Readonly<Record<KeyVersion, readonly string[]>> = {
  '1.0': [
    serviceUrlKey,
    configStoreUrlKey,
    metricsUrlKey,
    'ock.mmc.meta.ha.enable',
    'ock.mmc.meta.ha.meta_rebuild',
    evictHighKey,
    evictLowKey,
    'ock.mmc.evict_check_interval_seconds',
    'ock.mmc.log_level',
    'ock.mmc.log_path',
    'ock.mmc.log_rotation_file_size',
    'ock.mmc.log_rotation_file_count',
    'ock.mmc.dynamic_config.enable',
    ...tlsKeys.map((key) => `ock.mmc.tls.${key}`),
    ...tlsKeys.map((key) => `ock.mmc.config_store.tls.${key}`),
  ],
  '1.1': ['ock.mmc.ubs_io.enable'],
  '1.2': [
    'ock.mmc.meta.backup.enable',
    leaseKey,
    'ock.mmc.meta_service.metrics_report_interval_seconds',
    'ock.mmc.log_output_target',
    'ock.mmc.rewarm.dram_watermark',
    'ock.mmc.storage.prefetch.enabled',
    'ock.mmc.kv_events.enable',
    'ock.mmc.kv_events.endpoint',
    'ock.mmc.kv_events.model_name',
    'ock.mmc.kv_events.tenant_id',
    'ock.mmc.kv_events.block_size',
    'ock.mmc.kv_events.queue_capacity',
    'ock.mmc.kv_events.hash_as_int',
    ...tlsKeys.map((key) => `ock.mmc.metrics.tls.${key}`),
  ],
};

export const metaKeys: KnownKeys = {
  since: sinceVersions(names),
  consequence: 'the meta service does not start with a key it does not know',
};

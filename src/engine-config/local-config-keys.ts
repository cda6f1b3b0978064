/**
 * The publicly documented keys of the engine's configuration file, with their first versions. Only for
 * hints: no symbol gives the version of a library, and the engine's init fails on an unknown key.
 */
import { type KeyVersion, type KnownKeys, sinceVersions } from './engine-file-lines.ts';

export const worldSizeKey = 'ock.mmc.local_service.world_size';
export const protocolKey = 'ock.mmc.local_service.protocol';
export const aggregateKey = 'ock.mmc.client.aggregate.io';
export const aggregateNumberKey = 'ock.mmc.client.aggregate.num';
export const retryKey = 'ock.mmc.client.retry_milliseconds';
export const timeoutKey = 'ock.mmc.client.timeout.seconds';
export const readThreadsKey = 'ock.mmc.client.read_thread_pool.size';
export const writeThreadsKey = 'ock.mmc.client.write_thread_pool.size';
export const chunkCountKey = 'ock.mmc.client.batch_option.chunk.count';

/** The suffixes of each prefix, for a connection that may be encrypted. */
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

const names: Readonly<Record<KeyVersion, readonly string[]>> = {
  '1.0': [
    'ock.mmc.meta_service_url',
    'ock.mmc.log_level',
    'ock.mmc.log_path',
    'ock.mmc.log_rotation_file_size',
    'ock.mmc.log_rotation_file_count',
    'ock.mmc.dynamic_config.enable',
    worldSizeKey,
    protocolKey,
    'ock.mmc.local_service.config_store_url',
    'ock.mmc.local_service.hcom_url',
    'ock.mmc.local_service.dram.size',
    'ock.mmc.local_service.hbm.size',
    retryKey,
    readThreadsKey,
    writeThreadsKey,
    aggregateKey,
    ...tlsKeys.map((key) => `ock.mmc.tls.${key}`),
    ...tlsKeys.map((key) => `ock.mmc.config_store.tls.${key}`),
    ...tlsKeys.map((key) => `ock.mmc.local_service.hcom.tls.${key}`),
  ],
  '1.1': [
    'ock.mmc.local_service.max.dram.size',
    'ock.mmc.local_service.max.hbm.size',
    aggregateNumberKey,
    'ock.mmc.ubs_io.enable',
  ],
  '1.2': [
    'ock.mmc.log_output_target',
    'ock.mmc.dynamic_config.interval',
    'ock.mmc.local_service.backend_id',
    'ock.mmc.local_service.storage.enabled',
    'ock.mmc.local_service.dram.best_effort.enabled',
    timeoutKey,
    'ock.mmc.client.batch_option.chunk.size',
    chunkCountKey,
  ],
};

export const localKeys: KnownKeys = {
  since: sinceVersions(names),
  withdrawn: new Map([
    [
      'ock.mmc.local_service.memory.pool.mode',
      'was in early builds of 1.1 only; remove the line for any released version',
    ],
  ]),
  consequence: 'init fails on a key the engine does not know',
  // Keys of the engine's storage tier.
  foreignPrefix: 'ubsio.',
};

/** Protocols of all versions, and those that 1.2 adds. */
export const commonProtocols: readonly string[] = [
  'host_rdma',
  'host_tcp',
  'device_sdma',
  'device_rdma',
];
export const protocolsOf12: readonly string[] = [
  'host_urma',
  'host_shm',
  'device_urma',
  'device_uboe',
  'host_device_urma',
];

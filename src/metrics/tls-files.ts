import { Counter, Gauge, type Registry } from 'prom-client';
import type { TlsFilesNumbers } from '../supervisor/supervisor-options.ts';

/** The state of the files of TLS, which only the supervisor reads. */
export function tlsFileMetrics(
  registry: Registry,
  { isCurrent, failures, readMs, expiresMs }: TlsFilesNumbers,
): void {
  const registers = [registry];
  const name = (end: string): string => `memcache_gateway_tls_${end}`;
  new Gauge({
    name: name('files_ok'),
    help: '1 if the certificate, the key and the client CA in use are those of the files; 0 if the files have faults, so that the gateway keeps older ones.',
    registers,
  }).set(isCurrent ? 1 : 0);
  new Counter({
    name: name('files_failures_total'),
    help: 'Readings of the files of TLS that found a new fault.',
    registers,
  }).inc(failures);
  new Gauge({
    name: name('files_read_timestamp_seconds'),
    help: 'When the files of TLS were last read without faults, in seconds since 1970.',
    registers,
  }).set(readMs / 1000);
  new Gauge({
    name: name('certificate_expiry_timestamp_seconds'),
    help: 'When the certificate in use expires, in seconds since 1970.',
    registers,
  }).set(expiresMs / 1000);
}

import { Counter, Gauge, type Registry } from 'prom-client';
import type { TokenFileNumbers } from '../supervisor/supervisor-options.ts';

/** The state of the token file, which only the supervisor reads. */
export function tokenFileMetrics(
  registry: Registry,
  { isCurrent, tokens, failures, readMs }: TokenFileNumbers,
): void {
  const registers = [registry];
  const name = (end: string): string => `memcache_gateway_token_file_${end}`;
  new Gauge({
    name: name('ok'),
    help: '1 if the tokens in use are those of the token file; 0 if the file has faults, so that the gateway keeps older tokens.',
    registers,
  }).set(isCurrent ? 1 : 0);
  new Gauge({ name: name('tokens'), help: 'Tokens in use.', registers }).set(tokens);
  new Counter({
    name: name('failures_total'),
    help: 'Readings of the token file that found a new fault.',
    registers,
  }).inc(failures);
  new Gauge({
    name: name('read_timestamp_seconds'),
    help: 'When the token file was last read without faults, in seconds since 1970.',
    registers,
  }).set(readMs / 1000);
}

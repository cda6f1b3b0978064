/** Each metric, and the test that causes it to move. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { root } from '../../helpers/process/packed.ts';

const moved = 'integration/program/metrics-move';
const tokens = 'integration/security/token-reload';
const clients = 'integration/clients/http-client-limits';
const tls = 'integration/security/tls';

/** The names are those after `memcache_gateway_`, except for the duration of requests. */
const tests: Readonly<Record<string, string>> = {
  arena_blocks: 'integration/connections/http-aborts',
  arena_bytes: 'integration/connections/http-slow-clients',
  arena_refusals_total: 'integration/connections/http-slow-clients',
  arena_refusing: 'integration/connections/http-slow-clients',
  arena_waiters: 'integration/connections/http-held-bodies',
  batch_calls_waiting: 'integration/batch/http-batch-slots',
  build_info: 'integration/objects/http-operations',
  circuit_open: moved,
  client_disconnects_total: 'integration/connections/http-clients-gone',
  client_refusals_total: clients,
  clients,
  coalesced_calls_total: moved,
  coalesced_keys_total: moved,
  coalescing_waiting: moved,
  engine_call_duration_seconds: moved,
  engine_call_limit: 'integration/objects/http-coalescing',
  engine_call_slots: moved,
  engine_calls: 'integration/objects/http-engine-faults',
  fallback_connections_total: moved,
  fallback_responses_total: moved,
  http_received_bytes_total: moved,
  http_requests_in_flight: 'integration/program/lifecycle',
  http_sent_bytes_total: 'integration/objects/http-operations',
  http_server_request_duration_seconds: moved,
  items_total: moved,
  known_sizes: moved,
  node_feature: 'integration/program/node-features',
  pool_capacity_bytes: moved,
  pool_evictions_total: 'integration/pool/cluster-embedded',
  pool_free_bytes: moved,
  pool_objects: moved,
  pool_up: 'integration/pool/cluster-meta',
  pool_used_bytes: moved,
  problems_total: moved,
  room_waiters: moved,
  room_waits_total: moved,
  shared_reads_total: 'integration/objects/http-coalescing',
  sized_reads_total: moved,
  stale_sizes_total: moved,
  supervisor_descriptors_ratio: moved,
  text_held_bytes: 'integration/connections/http-held-bodies',
  text_limit_bytes: moved,
  tls_certificate_expiry_timestamp_seconds: tls,
  tls_files_failures_total: tls,
  tls_files_ok: tls,
  tls_files_read_timestamp_seconds: tls,
  tls_handshakes_failed_total: tls,
  token_file_failures_total: tokens,
  token_file_ok: tokens,
  token_file_read_timestamp_seconds: tokens,
  token_file_tokens: tokens,
  waiting_connections: 'unit/metrics/registry',
  worker_connections_total: 'integration/connections/new-connections',
  worker_descriptors_ratio: moved,
  worker_restarts_total: 'integration/program/lifecycle',
  worker_up: 'integration/pool/pool-devices',
  workers: moved,
};

/** The names of test/helpers/process/metrics.ts for these metrics. */
const constants: Readonly<Record<string, string>> = {
  arena_blocks: 'usedBlocks',
  arena_waiters: 'arenaWaiters',
};

/** docs/metrics.md is generated from the registry. */
const page = readFileSync(path.join(root, 'docs/metrics.md'), 'utf8');
const names = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = '']) =>
  name.replace('memcache_gateway_', ''),
);

describe('each metric', () => {
  it('is in the table of the tests that cause it', () => {
    assert.deepEqual(Object.keys(tests).sort(), names.sort());
  });

  it('is read by its test', () => {
    for (const [name, test] of Object.entries(tests)) {
      const text = readFileSync(path.join(root, 'test', `${test}.test.ts`), 'utf8');
      const words = [name, name.replace(/^pool_/, ''), constants[name] ?? name];
      assert.match(text, new RegExp(`(?<![a-z])(${words.join('|')})(?![a-z])`), `${test}: ${name}`);
    }
  });
});

import { featureNameFault } from '../node-internals/feature-names.ts';
import {
  choice,
  integer,
  kibibyte,
  list,
  mebibyte,
  path,
  size,
  tebibyte,
  toggle,
} from './kinds.ts';
import { logLevels, setting } from './setting.ts';

/** The processes of the gateway, and what they log. */
export const processSettings = {
  settingsFile: setting(
    'Process',
    path(),
    undefined,
    'File of VARIABLE=value lines, for settings that are given neither as flag nor in the environment. SIGHUP reads it again and applies --layout and --log-level.',
  ),
  heartbeatMs: setting(
    'Process',
    integer(0, 3_600_000, 'MS'),
    10_000,
    'A worker whose event loop has been blocked for this long is killed and restarted, except in a debugger. At least 2000; 0 turns this off.',
  ),
  drainDelayMs: setting(
    'Process',
    integer(0, 3_600_000, 'MS'),
    0,
    'How long the gateway still serves all requests after SIGTERM or SIGINT. In this time `/readyz` returns 503, so that load balancers stop sending requests, and each response closes its connection.',
  ),
  drainMs: setting(
    'Process',
    integer(0, 3_600_000, 'MS'),
    20_000,
    'How long requests in flight may then take to finish.',
  ),
  disableNodeFeatures: setting(
    'Process',
    list('FEATURE,…|all', 'names of features', featureNameFault),
    [],
    'Undocumented Node features that the gateway does not use: direct-read, body-tap, one-write, socket-descriptor, write-queue, half-open, connection-checks, linger-close, parser-removal, parser-pause, bare-handles, listener-descriptor, or all. Each worker probes every feature at start and turns off those that fail. Use this setting only when a feature misbehaves although its probe passes.',
  ),
  debugArena: setting(
    'Process',
    toggle(),
    false,
    'Overwrite released blocks with a pattern and check every release. Slow; for tests.',
  ),

  logLevel: setting('Logs', choice(...logLevels), 'info', 'Least level that is logged.'),
  logFormat: setting(
    'Logs',
    choice('auto', 'json', 'pretty'),
    'auto',
    'JSON lines, or text for people. auto is text on a terminal and JSON otherwise.',
  ),
  accessLog: setting('Logs', toggle(), false, 'Log every request, not only failed and slow ones.'),
  slowRequestMs: setting(
    'Logs',
    integer(0, 3_600_000, 'MS'),
    1000,
    'Requests that take longer are logged; the bytes of their bodies allow more, at --slow-rate-bytes. 0 turns this off.',
  ),
  slowRateBytes: setting(
    'Logs',
    size(kibibyte, tebibyte),
    100 * mebibyte,
    'Bytes that a request which is not slow transfers in a second, in both directions together: each of them adds one second to --slow-request-ms.',
  ),
};

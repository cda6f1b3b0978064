import type { Reloadable } from '../config/reload.ts';
import type { TlsMaterial } from '../tls/material.ts';
import type { TokenEntry } from '../tokens/token.ts';

export type LogLevelSetting = Reloadable['logLevel'];

/** The outcome of a new log level: all processes have it, except the workers of these devices, which get it once they respond. */
export interface LogLevelOutcome {
  readonly pendingDevices: readonly number[];
}

/** Everything that changes while the gateway runs: the supervisor reads it, and gives it to all workers as a whole. */
export interface RuntimeSettings extends Reloadable {
  /** Null when no token file is named: then no request needs a token. */
  readonly tokens: readonly TokenEntry[] | null;
  /** Null without a listener with TLS. It has a private key, so it passes only through the channel. */
  readonly tls: TlsMaterial | null;
}

import type { Reloadable } from '../config/reload.ts';
import type { TokenEntry } from '../tokens/token.ts';

/** Everything that changes while the gateway runs: the supervisor reads it, and gives it to all workers as a whole. */
export interface RuntimeSettings extends Reloadable {
  /** Null when no token file is named: then no request needs a token. */
  readonly tokens: readonly TokenEntry[] | null;
}

import type { Client } from '../../src/native/client.ts';
import { type EngineOptions, openEngine } from '../../src/native/engine-client.ts';
import type { Block } from '../../src/native/types.ts';

/** A client with a small arena that poisons what is freed, and an engine of this process's own. */
export function openTestEngine(options: Partial<EngineOptions> = {}): Promise<Client> {
  return openEngine({
    engine: 'embedded',
    device: 0,
    arenaBytes: 16 * 1024 * 1024,
    callSlots: 4,
    deadlineMs: 10_000,
    debugArena: true,
    onWarning: () => undefined,
    ...options,
  });
}

/** A block of the arena with these bytes in it. */
export function blockOf(client: Client, bytes: Uint8Array): Block {
  const block = emptyBlock(client, bytes.length);
  block.view.set(bytes);
  return block;
}

export function emptyBlock(client: Client, length: number): Block {
  const block = client.arena.tryAllocate(length);
  if (block === undefined) throw new Error(`no room for ${length} bytes`);
  block.view.fill(0);
  return block;
}

export const once = { replicas: 1, prefer: [] } as const;

import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { Address, EngineFunctions } from './abi.ts';
import { codeMeaning, codeName, MMC_ERROR, MMC_OK } from './codes.ts';
import { EngineLoadError } from './errors.ts';
import type { EngineLibrary } from './library.ts';
import { type MappedRegion, mapMemory } from './memory.ts';
import type { Opening } from './opening.ts';
import { exitNow } from './process-exit.ts';
import { releaseReservation } from './reservation.ts';
import { callNative } from './slot-calls.ts';

/** Membership of the process in a pool: from mmc_init to mmc_uninit. */
export interface PoolMember {
  readonly serviceId: number;
  /** Set by whoever makes calls: uninit must not meet one (engine.md §1). */
  busy: () => boolean;
  /** Uninitialises, unless busy; true when the engine answered in time, else the process must `_exit`. */
  leave(deadlineMs?: number): Promise<boolean>;
}

/** The engine can be initialised again after −1; each pause doubles. */
const INIT_ATTEMPTS = 5;
const FIRST_PAUSE_MS = 100;
/** An attempt that took longer waited for a meta service in vain; the next one would, too. */
const HOPELESS_ATTEMPT_MS = 10_000;
/** A clean one takes 2–3 s; without its meta service it may take minutes (engine.md §1). */
const UNINIT_DEADLINE_MS = 8000;
const LOG_WARNINGS = 2;

/** @throws EngineLoadError when the engine cannot be initialised. */
export async function joinPool(opening: Opening, device: number): Promise<PoolMember> {
  const { library, warn } = opening;
  const { mmc_set_log_level, mmcc_local_service_id } = library.functions;
  // Memory of our own: init is asynchronous, and koffi keeps no argument alive.
  const scratch = mapMemory(4096, { hugePages: false })[0] as MappedRegion;
  scratch.bytes.writeUInt32LE(device, 0);
  scratch.bytes.writeUInt8(1, 4); // initBm: a client that contributes no memory cannot put or get
  await opening.call('mmc_set_log_level', mmc_set_log_level, [LOG_WARNINGS]);
  // Nothing comes between this and the start of mmc_init, so that nothing takes the range.
  const unreserved = releaseReservation();
  if (unreserved !== undefined) {
    warn(`the engine's address range could not be reserved, so its start may fail: ${unreserved}`);
  }
  await initialise(opening, scratch.address);
  const idAddress = (scratch.address + 8) as Address;
  const code = await opening.call('mmcc_local_service_id', mmcc_local_service_id, [idAddress]);
  if (code !== MMC_OK) warn(`the engine does not tell its service id: ${codeName(code)} (${code})`);
  return membership(opening, scratch.bytes.readUInt32LE(8));
}

async function initialise(opening: Opening, config: Address): Promise<void> {
  const { library } = opening;
  const attempts = library.nonblocking ? 1 : INIT_ATTEMPTS;
  for (let attempt = 1; ; attempt++) {
    const start = performance.now();
    const code = await opening.call('mmc_init', library.functions.mmc_init, [config]);
    if (code === MMC_OK) return;
    const hopeless = performance.now() - start > HOPELESS_ATTEMPT_MS;
    if (code !== MMC_ERROR || attempt >= attempts || hopeless) {
      throw await initError(library, code);
    }
    await pause(FIRST_PAUSE_MS * 2 ** (attempt - 1));
  }
}

async function initError(library: EngineLibrary, code: number): Promise<EngineLoadError> {
  const advice = library.nonblocking
    ? [
        'The embedded engine keeps its pool in /dev/shm: see that it is large enough and writable',
        '(`df -h /dev/shm`; a container needs --shm-size) or lower --pool-bytes.',
      ]
    : [
        'See that the meta service of MMC_LOCAL_CONFIG_PATH runs and can be reached, that the file has',
        "no key this version does not know, and that the engine's address range was free",
        '(world_size x max.dram.size; the worker reserves it with libmcg_reserve.so).',
        ...(await keyAdvice()),
      ];
  const reason = `${codeName(code)} (${code}): ${codeMeaning(code)}`;
  return new EngineLoadError(`The engine could not be initialised: ${reason}.`, advice.join('\n'), {
    code,
  });
}

/** A key that the library does not know is a frequent reason, and the engine names none. */
async function keyAdvice(): Promise<string[]> {
  const { newerKeyLines } = await import('./local-config.ts');
  const lines = newerKeyLines(process.env['MMC_LOCAL_CONFIG_PATH']);
  if (lines.length === 0) return [];
  return ['Keys of the file that not every version knows:', ...lines.map((line) => `  ${line}`)];
}

function membership(opening: Opening, serviceId: number): PoolMember {
  const { library } = opening;
  const member: PoolMember = {
    serviceId,
    busy: () => opening.busy,
    leave: async (deadlineMs = UNINIT_DEADLINE_MS) => {
      if (member.busy()) return false;
      const clean = await uninitialised(library.functions, deadlineMs);
      if (clean) forgetExit();
      return clean;
    },
  };
  const forgetExit = onProcessExit((exitCode) => {
    // The distributed engine's own exit handlers abort a process that has not left the pool.
    if (!library.nonblocking) exitNow(exitCode);
    else if (!member.busy()) library.functions.mmc_uninit();
  });
  return member;
}

/**
 * Runs `leave` as the process exits; returns how to prevent that. Node prints an uncaught error only
 * after its exit event, so the error is printed here, or an `_exit` would make it silent.
 */
function onProcessExit(leave: (exitCode: number) => void): () => void {
  let fatal: unknown;
  const remember = (error: unknown): void => {
    fatal = error;
    // Somebody handled it if the process still runs.
    setImmediate(() => {
      fatal = undefined;
    });
  };
  const atExit = (exitCode: number): void => {
    if (fatal !== undefined) writeSync(2, `${inspect(fatal)}\n`);
    leave(exitCode);
  };
  process.on('uncaughtExceptionMonitor', remember);
  process.on('exit', atExit);
  return () => {
    process.off('uncaughtExceptionMonitor', remember);
    process.off('exit', atExit);
  };
}

function uninitialised(functions: EngineFunctions, deadlineMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), deadlineMs);
    const left = (clean: boolean) => () => {
      clearTimeout(timer);
      resolve(clean);
    };
    callNative(functions.mmc_uninit, [], left(true), left(false));
  });
}

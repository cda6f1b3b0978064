import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';
import { codeMeaning, codeName, MMC_ERROR, MMC_OK } from '../../errors/engine-codes.ts';
import type { Address } from '../../os/libc.ts';
import { exitNow } from '../../os/process-exit.ts';
import type { EngineFunctions } from '../abi/abi.ts';
import { EngineLoadError } from '../abi/errors.ts';
import { type MappedRegion, mapMemory } from '../arena/memory.ts';
import { callNative } from '../calls/call-native.ts';
import type { EngineLibrary } from './library.ts';
import type { Opening } from './opening.ts';
import { releaseReservation } from './reservation.ts';

/** The engine can be initialised again after −1; each pause doubles. */
const INIT_ATTEMPTS = 5;
const FIRST_PAUSE_MS = 100;
/** An attempt that takes longer has waited for a missing meta service; a further attempt would too. */
const HOPELESS_ATTEMPT_MS = 10_000;
/** Normally 2–3 s; without its meta service it may take minutes (docs/engine-facts.md §3). */
const UNINIT_DEADLINE_MS = 8000;
const LOG_WARNINGS = 2;

/** @throws EngineLoadError if the engine cannot be initialised. */
export async function joinPool(opening: Opening, device: number): Promise<PoolMember> {
  const { library, warn } = opening;
  // Mapped memory, because init is asynchronous and koffi does not keep arguments alive.
  const scratch = mapMemory(4096, { hugePages: false })[0] as MappedRegion;
  scratch.bytes.writeUInt32LE(device, 0);
  scratch.bytes.writeUInt8(1, 4); // initBm: a client that contributes no memory cannot put or get
  const { mmc_set_log_level } = library.functions;
  await opening.call('mmc_set_log_level', mmc_set_log_level, [LOG_WARNINGS]);
  // Call mmc_init at once; otherwise another allocation could use the range.
  const unreserved = releaseReservation();
  if (unreserved !== undefined) {
    warn(`the engine's address range could not be reserved, so its start may fail: ${unreserved}`);
  }
  await initialise(opening, scratch.address);
  return new PoolMember(opening, scratch);
}

/** Membership of the process in a pool, from mmc_init to mmc_uninit. */
export class PoolMember {
  readonly #opening: Opening;
  readonly #scratch: MappedRegion;
  readonly #forgetExit: () => void;
  /**
   * Whether a call is in flight: the engine must not be uninitialised during a call
   * (docs/engine-facts.md §3). The owner of the calls sets it.
   */
  busy: () => boolean;
  /** Called once the member has left, and the engine uses no memory any more. */
  onLeft = (): void => undefined;

  /** `scratch` has at least 12 bytes. */
  constructor(opening: Opening, scratch: MappedRegion) {
    this.#opening = opening;
    this.#scratch = scratch;
    this.busy = () => opening.busy;
    const { library } = opening;
    this.#forgetExit = onProcessExit((exitCode) => {
      // The distributed engine's own exit handlers abort a process that has not left the pool.
      if (!library.nonblocking) exitNow(exitCode);
      else if (!this.busy()) library.functions.mmc_uninit();
    });
  }

  /** The engine's id in its pool; warns of an engine that does not return it. */
  async findServiceId(): Promise<number> {
    const { library, warn } = this.#opening;
    const { mmcc_local_service_id } = library.functions;
    const { address, bytes } = this.#scratch;
    const code = await this.#opening.call('mmcc_local_service_id', mmcc_local_service_id, [
      (address + 8) as Address,
    ]);
    if (code !== MMC_OK) {
      warn(`the engine does not return its service id: ${codeName(code)} (${code})`);
    }
    return bytes.readUInt32LE(8);
  }

  /** Uninitialises unless busy. True if the engine returned in time; otherwise the process must `_exit`. */
  async leave(deadlineMs = UNINIT_DEADLINE_MS): Promise<boolean> {
    if (this.busy()) return false;
    const clean = await uninitialised(this.#opening.library.functions, deadlineMs);
    if (clean) {
      this.#forgetExit();
      this.onLeft();
    }
    return clean;
  }
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
  const reason = `${codeName(code)} (${code}): ${codeMeaning(code)}`;
  // The embedded engine says which file or variable it is about.
  const cause = library.lastWarning?.() || reason;
  const advice = library.nonblocking ? embeddedAdvice(cause) : await distributedAdvice();
  return new EngineLoadError(`The engine could not be initialised: ${cause}.`, advice.join('\n'), {
    errno: code,
  });
}

function embeddedAdvice(cause: string): string[] {
  if (cause.startsWith('MMC_EMBEDDED_')) return ['Correct the variable, or unset it.'];
  return [
    'The embedded engine keeps its pool in /dev/shm. Check that it is large enough and writable',
    '(`df -h /dev/shm`; a container needs --shm-size), or reduce --pool-bytes.',
  ];
}

const distributedAdvice = async (): Promise<string[]> => [
  'Check that the meta service of MMC_LOCAL_CONFIG_PATH runs and is reachable, that the file has',
  "no key that this version does not know, and that the engine's address range was free",
  '(world_size x max.dram.size; the worker reserves it with libmcg_reserve.so).',
  ...(await keyAdvice()),
];

/** An unknown key is a frequent reason, and the engine does not name it. */
async function keyAdvice(): Promise<string[]> {
  const { newerKeyLines } = await import('../../engine-config/local-config.ts');
  const lines = newerKeyLines(process.env['MMC_LOCAL_CONFIG_PATH']);
  if (lines.length === 0) return [];
  return ['Keys of the file that some versions do not know:', ...lines.map((line) => `  ${line}`)];
}

/**
 * Runs `leave` when the process exits; returns a function that cancels this. Node prints an uncaught
 * error only after its exit event. So the error is printed here; otherwise `_exit` would hide it.
 */
function onProcessExit(leave: (exitCode: number) => void): () => void {
  let fatal: unknown;
  const remember = (error: unknown): void => {
    fatal = error;
    // If the process still runs, a handler has dealt with the error.
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
    callNative(functions.mmc_uninit, []).then(left(true), left(false));
  });
}

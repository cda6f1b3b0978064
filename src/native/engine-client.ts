import { CallSlots } from './call-slots.ts';
import { Client } from './client.ts';
import { MMC_TIMEOUT, MMC_UNUSABLE_POOL } from './codes.ts';
import type { EngineContext, Slot } from './engine-context.ts';
import { type EngineMemory, makeSlots, mapArena } from './engine-memory.ts';
import { joinPool, type PoolMember } from './engine-pool.ts';
import { EngineDeadlineError, EngineLoadError, MmcError } from './errors.ts';
import { findInfoBytes } from './info-layout.ts';
import { type EngineLibrary, loadEngineLibrary } from './library.ts';
import { MAX_CALL_SLOTS, mostCalls, spareCalls, threadsFor } from './limits.ts';
import { watchMembership } from './membership.ts';
import { Opening } from './opening.ts';
import { Probes } from './probes.ts';
import { Probe, type ProbeBlocks } from './self-test.ts';
import { DirectCalls } from './sync-calls.ts';

export interface EngineOptions {
  /** `embedded`, or the path of a library with the same ABI. */
  engine: string;
  /** 0…383. */
  device: number;
  arenaBytes: number;
  /** Map a reserve for small blocks beside the arena: a sixteenth of it, at most 64 MiB. */
  smallReserve?: boolean;
  /**
   * Calls in flight, 1…30; the engine breaks from 32 (engine.md §2). Of what is left, probes have
   * some, and calls that are made in the place of late ones (limits.ts).
   */
  callSlots: number;
  /** For each call, its wait for a slot included. */
  deadlineMs: number;
  /** For all that comes before the first call of a slot: initialisation, its repetitions, the arena. */
  initDeadlineMs?: number | undefined;
  /**
   * A read that takes longer is not trusted, 1…3,600,000; less than the read lease of the pool, which
   * is 2 s unless the meta service's configuration says otherwise. Default 1500.
   */
  slowReadMs?: number | undefined;
  /** libpython to load before the engine; found by itself when absent. */
  preload?: string | undefined;
  /** Poison freed blocks; GATEWAY_DEBUG_ARENA=1 does it too. */
  debugArena?: boolean;
  onWarning?: (text: string) => void;
  /**
   * Called once, within 300 ms, when the engine has left its pool because another program destroyed
   * it. Every call then answers MMC_CLIENT_NOT_INIT: close the client, and open another.
   */
  onPoolLost?: ((error: EngineLoadError) => void) | undefined;
}

const MAX_DEVICE = 383;
const DEFAULT_SLOW_READ_MS = 1500;
const MAX_SLOW_READ_MS = 3_600_000;
/** Longer than a running process holds a lock; 48 such waits in one turn of the event loop take 5 ms. */
const SYNC_LOCK_WAIT_US = 50;
/** More than the 60 s after which the engine itself says that it found no meta service (engine.md §1). */
const DEFAULT_INIT_DEADLINE_MS = 90_000;
const MIN_ARENA_BYTES = 4096;
const MAX_ARENA_BYTES = 2 ** 40;

/** All client state of the engine is process-wide: a second client would be the first (engine.md §1). */
let occupied = false;

/**
 * Loads the engine, joins its pool, maps and registers the arena, and proves it all with a put, get
 * and remove of a key of its own. One client at a time in a process; call it before anything else in
 * the process's life, since the engine needs a fixed range of addresses. An engine that does not come
 * back stays the process's only client; end such a process with `exitNow`.
 *
 * @throws EngineLoadError with advice, RangeError for an option out of its range.
 */
export async function openEngine(options: EngineOptions): Promise<Client> {
  checkOptions(options);
  if (occupied) {
    throw new EngineLoadError(
      'This process already has a client of the engine.',
      'Close it first; two clients need two processes.',
    );
  }
  occupied = true;
  const warn = options.onWarning ?? ((text: string) => process.emitWarning(text));
  const opening = await load(options, warn);
  const deadlineMs = options.initDeadlineMs ?? DEFAULT_INIT_DEADLINE_MS;
  const entered = await opening.within(deadlineMs, enter(options, opening), ({ member }) =>
    vacate(member),
  );
  try {
    return await equip(options, opening, entered);
  } catch (error) {
    await vacate(entered.member);
    throw error;
  }
}

async function load(options: EngineOptions, warn: (text: string) => void): Promise<Opening> {
  try {
    await checkLocalConfig(options.engine, warn);
    return new Opening(loadEngineLibrary(options), warn);
  } catch (error) {
    occupied = false;
    throw error;
  }
}

interface Entered {
  readonly member: PoolMember;
  readonly memory: EngineMemory;
}

async function enter(options: EngineOptions, opening: Opening): Promise<Entered> {
  let member: PoolMember | undefined;
  try {
    member = await joinPool(opening, options.device);
    return { member, memory: await mapArena(options, opening) };
  } catch (error) {
    await vacate(member);
    throw error;
  }
}

/** Makes place for the next client. One that could not leave is still there. */
async function vacate(member: PoolMember | undefined): Promise<void> {
  occupied = member !== undefined && !(await member.leave());
}

/** The engine reads its configuration as it is loaded, and answers a fault in it with a crash. */
async function checkLocalConfig(engine: string, warn: (text: string) => void): Promise<void> {
  if (engine === 'embedded') return;
  const { EngineFileError } = await import('./engine-file.ts');
  const { readLocalConfig } = await import('./local-config.ts');
  try {
    readLocalConfig(process.env['MMC_LOCAL_CONFIG_PATH'])?.warnings.forEach(warn);
  } catch (cause) {
    if (!(cause instanceof EngineFileError)) throw cause;
    const problem = "The engine's configuration file cannot be used:";
    throw new EngineLoadError(problem, cause.message, { cause });
  }
}

/** Gives a member of the pool its slots, and proves that bytes come and go. */
async function equip(
  options: EngineOptions,
  { library, warn }: Opening,
  { member, memory: { arena, probeBlocks, discard } }: Entered,
): Promise<Client> {
  warnOfFewThreads(options.callSlots, warn);
  const context: EngineContext = {
    functions: library.functions,
    slowReadMs: options.slowReadMs ?? DEFAULT_SLOW_READ_MS,
    onCall: undefined,
  };
  const spare = spareCalls(options.callSlots);
  const everySlot = makeSlots(1 + options.callSlots + spare.substitutes + spare.probes);
  const [syncSlot, ...made] = everySlot;
  const slots = new CallSlots(
    made.splice(0, options.callSlots),
    options.deadlineMs,
    made.splice(0, spare.substitutes),
  );
  const probes = new Probes(
    made.map(
      (slot, at) => new Probe(context, slot, probeBlocks[at] as ProbeBlocks, options.deadlineMs),
    ),
  );
  member.busy = () => slots.counts().inFlight + probes.counts().inFlight > 0;
  await testEngine(async () => {
    await probes.run(options.deadlineMs, { toleratesFullPool: false });
    const infoBytes = await findInfoBytes(context, slots, arena);
    for (const { args } of everySlot) args.infoBytes = infoBytes;
  });
  const membership = watchMembership(library, options.onPoolLost);
  return new Client({
    library: library.path,
    embedded: options.engine === 'embedded',
    device: options.device,
    serviceId: member.serviceId,
    deadlineMs: options.deadlineMs,
    arena,
    context,
    slots,
    probes,
    sync: library.nonblocking ? directCalls(library, context, syncSlot as Slot) : undefined,
    leave: async (deadlineMs) => {
      membership.end();
      const clean = await member.leave(deadlineMs);
      if (clean) {
        discard();
        occupied = false;
      }
      return clean;
    },
  });
}

/** The limit is this thread's: asynchronous calls, on libuv's, wait for locks as before. */
function directCalls(library: EngineLibrary, context: EngineContext, slot: Slot): DirectCalls {
  library.limitLockWaits?.(SYNC_LOCK_WAIT_US);
  return new DirectCalls(context, slot);
}

/** Runs the self-test; a call that fails or is too late becomes an error with advice. */
async function testEngine(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (cause) {
    if (cause instanceof EngineLoadError) throw cause;
    const code = codeOf(cause);
    const advice = code === MMC_UNUSABLE_POOL ? unusablePoolAdvice : selfTestAdvice;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EngineLoadError(`The engine failed its self-test: ${reason}`, advice, {
      cause,
      ...(code === undefined ? {} : { code }),
    });
  }
}

function codeOf(cause: unknown): number | undefined {
  if (cause instanceof EngineDeadlineError) return MMC_TIMEOUT;
  return cause instanceof MmcError ? cause.code : undefined;
}

const unusablePoolAdvice = [
  'This pool accepts clients but moves no data for them: the client with id 0 has left it while',
  'others stayed (engine: later joiners get -2 from every put and get). Restart all clients of the',
  'pool; no single client can mend it.',
].join('\n');

const selfTestAdvice =
  'The engine was initialised but could not put, get and remove an object: see its own log.';

function warnOfFewThreads(callSlots: number, warn: (text: string) => void): void {
  const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
  if (threads >= mostCalls(callSlots)) return;
  warn(
    `UV_THREADPOOL_SIZE is ${threads} with ${callSlots} call slots: calls will wait for threads. ` +
      `Set it to ${threadsFor(callSlots)} before the process starts.`,
  );
}

function checkOptions(options: EngineOptions): void {
  const { device, arenaBytes, callSlots, deadlineMs, initDeadlineMs, slowReadMs } = options;
  checkInteger('device', device, 0, MAX_DEVICE);
  checkInteger('arenaBytes', arenaBytes, MIN_ARENA_BYTES, MAX_ARENA_BYTES);
  checkInteger('callSlots', callSlots, 1, MAX_CALL_SLOTS);
  checkInteger('deadlineMs', deadlineMs, 1, 2 ** 31 - 1);
  checkInteger('initDeadlineMs', initDeadlineMs ?? 1, 1, 2 ** 31 - 1);
  checkInteger('slowReadMs', slowReadMs ?? 1, 1, MAX_SLOW_READ_MS);
}

function checkInteger(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${name} is ${value}: must be a whole number from ${least} to ${most}`);
}

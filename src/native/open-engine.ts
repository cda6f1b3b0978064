import { EngineLoadError } from './abi/errors.ts';
import { spareCalls, threadsFor } from './abi/limits.ts';
import { CallMemoryPool } from './calls/call-memory-pool.ts';
import type { CallMemory, EngineContext } from './calls/engine-context.ts';
import { NativeCalls } from './calls/native-calls.ts';
import { PoolCalls } from './calls/pool-calls.ts';
import { DirectCalls } from './calls/sync-calls.ts';
import type { Engine } from './engine.ts';
import { checkOptions, type EngineOptions } from './engine-options.ts';
import { type EngineMemory, makeCallMemory, mapArena } from './start/engine-memory.ts';
import { joinPool, type PoolMember } from './start/engine-pool.ts';
import { findInfoBytes } from './start/info-layout.ts';
import { type EngineLibrary, loadEngineLibrary } from './start/library.ts';
import { watchMembership } from './start/membership.ts';
import { Opening } from './start/opening.ts';
import { Probe, type ProbeBlocks, within } from './start/self-test.ts';
import { explainSelfTest } from './start/self-test-error.ts';

const DEFAULT_SLOW_READ_MS = 1500;
/** Longer than a running process holds a lock; 48 such waits in one turn of the event loop take 5 ms. */
const SYNC_LOCK_WAIT_US = 50;
/**
 * More than the 60 s after which the engine itself reports that it found no meta service
 * (docs/engine-facts.md §3).
 */
const DEFAULT_INIT_DEADLINE_MS = 90_000;

/**
 * All client state of the engine is process-wide: a second client would be the first
 * (docs/engine-facts.md §3).
 */
let occupied = false;

/**
 * Loads the engine, joins its pool, maps and registers the arena, and proves it all with a put, get
 * and remove of a key of its own. One client at a time in a process; call it before anything else in
 * the process's life, since the engine needs a fixed range of addresses. An engine that does not return
 * stays the process's only client; end such a process with `exitNow`.
 *
 * @throws EngineLoadError with advice, RangeError for an option out of its range.
 */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  checkOptions(options);
  if (occupied) {
    throw new EngineLoadError(
      'This process already has a client of the engine.',
      'Close it first; two clients need two processes.',
    );
  }
  occupied = true;
  const warn = options.onWarning ?? ((text: string) => process.emitWarning(text));
  const opening = await orVacate(undefined, () => load(options, warn));
  const deadlineMs = options.initDeadlineMs ?? DEFAULT_INIT_DEADLINE_MS;
  const entered = await opening.within(deadlineMs, enter(options, opening), async ({ member }) => {
    await vacate(member);
  });
  return orVacate(entered.member, () => equip(options, opening, entered));
}

async function load(options: EngineOptions, warn: (text: string) => void): Promise<Opening> {
  await checkLocalConfig(options.engine, warn);
  return new Opening(loadEngineLibrary(options), warn);
}

interface Entered {
  readonly member: PoolMember;
  readonly serviceId: number;
  readonly memory: EngineMemory;
}

async function enter(options: EngineOptions, opening: Opening): Promise<Entered> {
  const member = await orVacate(undefined, () => joinPool(opening, options.device));
  return orVacate(member, async () => {
    const serviceId = await member.findServiceId();
    const memory = await mapArena(options, opening);
    member.onLeft = memory.discard;
    return { member, serviceId, memory };
  });
}

/** Does `action`. When that fails, the member leaves the pool, if there is one. */
async function orVacate<Result>(
  member: PoolMember | undefined,
  action: () => Promise<Result>,
): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    await vacate(member);
    throw error;
  }
}

/** Makes room for the next client. Returns false for a member that cannot leave, and stays the client. */
async function vacate(member: PoolMember | undefined, deadlineMs?: number): Promise<boolean> {
  const left = member === undefined || (await member.leave(deadlineMs));
  if (left) occupied = false;
  return left;
}

/** The engine reads its configuration as it is loaded, and crashes on a fault in it. */
async function checkLocalConfig(engine: string, warn: (text: string) => void): Promise<void> {
  if (engine === 'embedded') return;
  const { EngineFileError } = await import('../engine-config/engine-file.ts');
  const { readLocalConfig } = await import('../engine-config/local-config.ts');
  try {
    readLocalConfig(process.env['MMC_LOCAL_CONFIG_PATH'])?.warnings.forEach(warn);
  } catch (cause) {
    if (!(cause instanceof EngineFileError)) throw cause;
    const problem = "The engine's configuration file cannot be used:";
    throw new EngineLoadError(problem, cause.message, { cause });
  }
}

/** Gives a member of the pool its slots, and proves that it stores and returns bytes. */
async function equip(options: EngineOptions, opening: Opening, entered: Entered): Promise<Engine> {
  const { library, warn } = opening;
  const { member, serviceId, memory } = entered;
  warnOfFewThreads(options.callSlots, warn);
  const context: EngineContext = {
    functions: library.functions,
    slowReadMs: options.slowReadMs ?? DEFAULT_SLOW_READ_MS,
    onCall: undefined,
  };
  const slots = makeSlots(options, context, memory.probeBlocks);
  await testEngine(slots, member, options.deadlineMs, memory);
  const membership = watchMembership(library, options.onPoolLost);
  return {
    library: library.path,
    embedded: options.engine === 'embedded',
    device: options.device,
    serviceId,
    arena: memory.arena,
    callSlots: options.callSlots,
    substitutes: spareCalls(options.callSlots).substitutes,
    calls: slots.calls,
    batchCalls: new NativeCalls(context, slots.pool, 'batch'),
    probes: slots.probes,
    pool: library.pool && new PoolCalls(library.pool, slots.pool, context),
    sync: library.nonblocking ? directCalls(library, context, slots.syncMemory) : undefined,
    get onCall() {
      return context.onCall;
    },
    set onCall(observer) {
      context.onCall = observer;
    },
    leave: (deadlineMs) => {
      membership.end();
      return vacate(member, deadlineMs);
    },
  };
}

/** The argument memory of an engine, and the calls that use it. */
interface Slots {
  readonly context: EngineContext;
  /** The memory of all calls, also those of probes and on the JavaScript thread. */
  readonly memory: readonly CallMemory[];
  readonly syncMemory: CallMemory;
  readonly pool: CallMemoryPool;
  readonly calls: NativeCalls;
  readonly probes: readonly Probe[];
}

function makeSlots(
  { callSlots, deadlineMs }: EngineOptions,
  context: EngineContext,
  probeBlocks: readonly ProbeBlocks[],
): Slots {
  const spare = spareCalls(callSlots);
  const memory = makeCallMemory(1 + callSlots + spare.substitutes + spare.probes);
  const [syncMemory, ...forCalls] = memory as [CallMemory, ...CallMemory[]];
  const forProbes = forCalls.splice(callSlots + spare.substitutes);
  const pool = new CallMemoryPool(forCalls);
  const probes = forProbes.map((own, at) => {
    const blocks = probeBlocks[at] as ProbeBlocks;
    return new Probe(context, own, blocks, deadlineMs);
  });
  return {
    context,
    memory,
    syncMemory,
    pool,
    calls: new NativeCalls(context, pool, 'single'),
    probes,
  };
}

/** Runs the self-test, and gives all argument memory the layout of infos that it finds. */
async function testEngine(
  { context, memory, syncMemory, pool, calls, probes }: Slots,
  member: PoolMember,
  deadlineMs: number,
  { arena }: EngineMemory,
): Promise<void> {
  let findsLayout = false;
  member.busy = () =>
    findsLayout || pool.inFlight > 0 || probes.some((probe) => probe.counts().inFlight > 0);
  try {
    await (probes[0] as Probe).run({ toleratesFullPool: false });
    findsLayout = true;
    // The search ends when its last call has returned, however late that is.
    const layout = findInfoBytes(context, calls, syncMemory, arena).finally(() => {
      findsLayout = false;
    });
    const infoBytes = await within(deadlineMs, 'batch_query', layout);
    for (const { args } of memory) args.infoBytes = infoBytes;
  } catch (error) {
    throw explainSelfTest(error);
  }
}

/** The limit is this thread's: asynchronous calls, on libuv's, wait for locks as before. */
function directCalls(
  library: EngineLibrary,
  context: EngineContext,
  memory: CallMemory,
): DirectCalls {
  library.limitLockWaits?.(SYNC_LOCK_WAIT_US);
  return new DirectCalls(context, memory);
}

function warnOfFewThreads(callSlots: number, warn: (text: string) => void): void {
  const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
  if (threads >= threadsFor(callSlots)) return;
  warn(
    `UV_THREADPOOL_SIZE is ${threads} with ${callSlots} call slots: calls will wait for threads. ` +
      `Set it to ${threadsFor(callSlots)} before the process starts.`,
  );
}
